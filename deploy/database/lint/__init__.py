"""The text of migrations: what it would do to the version that is running."""
