"""Accounts from a user office's web service."""
