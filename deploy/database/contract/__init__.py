"""The running version's own queries, tried on another schema."""
