"""A server's catalogue: what a migration did to the schema, whatever its text says."""
