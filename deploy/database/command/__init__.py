"""Migrations applied by a command of the user's own, and what is believed of it."""
