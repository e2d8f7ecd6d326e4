"""Tests; scenes and fakes that several modules share report their asserts as tests do."""

import pytest

ROOMS = ("accounts", "authenticators", "browser", "docker", "hub", "images", "sandbox", "spawners")
pytest.register_assert_rewrite(*(f"tests.{room}" for room in ROOMS))
