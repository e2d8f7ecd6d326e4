"""Login with the facility's own passwords."""
