"""How a host is spoken to."""
