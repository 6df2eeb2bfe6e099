"""The lease of an environment: who may change it."""
