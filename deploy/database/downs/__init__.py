"""The way back of a migration: found, classed by what it would lose, and run."""
