"""The account source "ldap"."""
