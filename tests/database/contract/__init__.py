"""The running version's queries on another schema."""
