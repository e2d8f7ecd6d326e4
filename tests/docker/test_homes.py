"""Broken homes and temporary ones, in containers (see `tests.sandbox.homes`)."""

from __future__ import annotations

import pytest

from tests.sandbox.homes import (
    broken_home,
    test_a_broken_home_is_named_and_a_temporary_one_offered,
    test_a_broken_jupyter_folder_does_not_stop_the_notebook,
    test_with_an_intact_home_it_is_a_choice,
)

__all__ = [
    "broken_home",
    "test_a_broken_home_is_named_and_a_temporary_one_offered",
    "test_a_broken_jupyter_folder_does_not_stop_the_notebook",
    "test_with_an_intact_home_it_is_a_choice",
]
pytestmark = pytest.mark.docker
