"""The rehearsal, on real servers."""
