"""Logins: who signs in, by which login method, and with which account of the facility."""
