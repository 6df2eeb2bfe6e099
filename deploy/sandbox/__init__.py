"""A real fleet on one machine: VPSs in containers, an edge, a registry that asks for a login."""
