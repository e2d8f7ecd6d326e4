"""Connecting a login that has no account with an existing account of the same person."""
