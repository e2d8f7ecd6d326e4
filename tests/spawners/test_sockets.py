"""The address of a session's socket: a path as the host of a URL, which everybody reads in lower case."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from daas_hub.spawners.sockets import host_of_socket


@pytest.mark.parametrize("path", ["/run/daas-hub/http.sock", "/var/tmp/Daas-ÄÖ/RUN/http.sock", "/srv/a b%41:80/x"])
def test_every_letter_of_a_path_survives(path: str) -> None:
    host = urlsplit(f"http+unix://{host_of_socket(Path(path))}/user/u1/").hostname
    assert host is not None
    assert unquote(host) == path


def test_nothing_in_it_ends_the_host() -> None:
    assert not set("/:@?#[]") & set(host_of_socket(Path("/a:b@c?d#e[f]/G")))
