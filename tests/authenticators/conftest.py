"""Fixtures of the authenticator's tests."""

from __future__ import annotations

from tests.authenticators.facility import facility

__all__ = ["facility"]
