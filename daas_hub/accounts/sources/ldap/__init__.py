"""Accounts from an LDAP directory."""
