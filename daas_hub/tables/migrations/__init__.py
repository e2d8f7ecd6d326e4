"""Alembic's environment of our tables."""
