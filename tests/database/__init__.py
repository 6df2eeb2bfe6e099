"""Migrations: the folder, the rows, and a real server."""
