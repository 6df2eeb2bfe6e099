"""Tests of the arrows: the shell that runs on a host, on a real Docker Engine."""
