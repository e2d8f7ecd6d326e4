"""Fixtures of the tests of sessions on another machine."""

from __future__ import annotations

from tests.spawners.docker.remote.site import site

__all__ = ["site"]
