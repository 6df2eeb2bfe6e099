"""Backups: made, proven, kept, copied, and restored."""
