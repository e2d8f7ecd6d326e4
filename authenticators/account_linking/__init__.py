"""Connecting a login that has no account with the account its person has."""
