"""Golden cases of the plan."""
