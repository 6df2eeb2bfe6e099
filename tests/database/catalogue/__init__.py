"""The catalogue before and after a migration."""
