"""The proxies that a host can have: each a snippet for its configuration, and three shell verbs."""
