"""The team's compose file: read as it is, never changed, and what Headway lays over it."""
