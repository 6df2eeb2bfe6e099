"""Drizzle's migrations: the folder, what it is to a database, and its application."""
