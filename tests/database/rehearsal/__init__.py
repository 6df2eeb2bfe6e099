"""A rehearsal."""
