"""Ending logins and sessions before their time: back-channel logout, accounts that no longer exist."""
