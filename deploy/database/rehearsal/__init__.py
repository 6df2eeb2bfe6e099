"""Migrations rehearsed on a throw-away copy of the database."""
