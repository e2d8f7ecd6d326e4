"""Spawners: each backend turns the plan of a launch into a running session."""
