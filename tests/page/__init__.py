"""The page of a run, and what a browser makes of it."""
