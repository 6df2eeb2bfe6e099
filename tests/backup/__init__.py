"""Backups of a real PostgreSQL, the ways to it, and the way back."""
