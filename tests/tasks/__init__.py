"""The tasks, as they are typed."""
