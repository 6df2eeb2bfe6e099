"""The steps of a deploy: each can describe itself, be done, and be undone."""
