"""What a session can connect to, while the rules of its pod come into force."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from daas_hub.session.wall import SILENCE_S, open_addresses


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A socket whose queue is full: the kernel drops what comes, as a wall does."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield full


def name_of(one: socket.socket) -> str:
    return f"127.0.0.1:{one.getsockname()[1]}"


def test_an_open_address_is_one_that_stays_open(listener: socket.socket) -> None:
    began = time.monotonic()
    assert open_addresses([name_of(listener)], limit_s=0.3) == [name_of(listener)]
    assert time.monotonic() - began >= 0.3


def test_a_wall_that_comes_late_is_waited_for(listener: socket.socket) -> None:
    """F1: rules of a new pod lag behind its first packets."""
    address = name_of(listener)
    threading.Timer(0.5, listener.close).start()
    assert open_addresses([address], limit_s=30) == []


def test_silence_is_closed_after_a_while(silent: socket.socket) -> None:
    began = time.monotonic()
    assert open_addresses([name_of(silent)], limit_s=30) == []
    assert time.monotonic() - began >= SILENCE_S


def test_an_attempt_that_is_refused_counts_while_earlier_ones_are_not_answered(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packet from before the rules is repeated after a second, and never answered then either."""
    monkeypatch.setattr("daas_hub.session.wall.SILENCE_S", 60.0)
    address = name_of(silent)
    threading.Timer(0.3, silent.close).start()
    assert open_addresses([address], limit_s=30) == []


def test_each_address_is_judged_by_itself(listener: socket.socket, silent: socket.socket) -> None:
    names = [name_of(silent), name_of(listener), "127.0.0.1:1"]
    assert open_addresses(names, limit_s=0.2) == [name_of(listener)]


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:0", "127.0.0.1:99999", "[::1", "256.1.1.1:80"])
def test_what_is_no_address_is_closed(address: str) -> None:
    assert open_addresses([address], limit_s=30) == []
