"""Door 2: a plan becomes a running session."""
