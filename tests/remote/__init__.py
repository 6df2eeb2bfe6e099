"""Tests of how a host is spoken to."""
