"""Fixtures of the authenticator's tests."""

from __future__ import annotations

from tests.authenticators.facility import db, facility

__all__ = ["db", "facility"]
