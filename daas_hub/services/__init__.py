"""Talking to the facility's services, and reading its files."""
