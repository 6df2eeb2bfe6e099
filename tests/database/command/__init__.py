"""Migrations applied by a command, on real engines and servers."""
