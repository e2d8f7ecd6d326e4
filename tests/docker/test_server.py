"""The server of a session in a container cannot be replaced by the session's own programs."""

from __future__ import annotations

import pytest

from tests.sandbox.server_scenes import (
    home,
    test_no_kernel_of_a_notebook_session_takes_its_servers_place,
    test_no_program_of_a_desktop_session_takes_its_servers_place,
)

pytestmark = pytest.mark.docker

__all__ = [
    "home",
    "test_no_kernel_of_a_notebook_session_takes_its_servers_place",
    "test_no_program_of_a_desktop_session_takes_its_servers_place",
]
