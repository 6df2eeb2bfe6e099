"""Who is told of a run."""
