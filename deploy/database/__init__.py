"""The database: which migrations are pending, and their application."""
