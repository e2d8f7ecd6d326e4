"""The thread that moves the screen: whole frames, and an end that leaves nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from types import SimpleNamespace

import pytest

from daas_hub.session.desktop.pump import ENOUGH_BYTES, GATHER_S, PIECE_BYTES, Pump, frame_head, pause_after


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_frame_head(length: int, head: bytes) -> None:
    """RFC 6455, 5.2."""
    assert frame_head(length) == head


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets, the first of them non-blocking as the pump wants it."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, theirs


def test_what_x_draws_arrives_whole() -> None:
    (screen, x), (browser, viewer) = pair(), pair()
    ended = threading.Event()
    Pump(screen, browser, ended.set).start()
    sent = bytes(range(256)) * (3 * PIECE_BYTES // 256)
    writer = threading.Thread(target=lambda: (x.sendall(sent), x.close()))
    writer.start()
    got = b""
    with viewer.makefile("rb") as stream:
        while len(got) < len(sent):
            _, small = stream.read(2)
            length = int.from_bytes(stream.read({126: 2, 127: 8}.get(small, 0)), "big") or small
            got += stream.read(length)
    writer.join()
    assert got == sent
    assert ended.wait(30), "X has ended, and so has the pump"
    for one in (screen, browser, viewer):
        one.close()


@pytest.mark.parametrize(
    ("length", "since_s", "pause_s"),
    [
        pytest.param(11_000, 0.001, GATHER_S, id="a piece of a screen"),
        pytest.param(11_000, 1.0, 0.0, id="the first piece"),
        pytest.param(300, 0.0085, 0.0, id="the echo of a key that is held down"),
        pytest.param(ENOUGH_BYTES, 0.001, 0.0, id="a large piece"),
    ],
)
def test_what_more_is_waited_for(length: int, since_s: float, pause_s: float) -> None:
    assert pause_after(length, since_s) == pause_s


def test_the_pieces_of_a_screen_are_sent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What X draws while the pump pauses comes in one frame."""
    (screen, x), (browser, viewer) = pair(), pair()
    pauses, goes_on = threading.Semaphore(0), threading.Semaphore(0)

    def sleep(seconds: float) -> None:
        pauses.release()
        assert goes_on.acquire(timeout=30)

    monkeypatch.setattr("daas_hub.session.desktop.pump.time", SimpleNamespace(monotonic=lambda: 0.0, sleep=sleep))
    Pump(screen, browser, lambda: None).start()
    # the pump has its own
    browser.close()
    x.sendall(b"first")
    assert pauses.acquire(timeout=30)
    for piece in (b"second", b"third", b"fourth"):
        x.sendall(piece)
    goes_on.release()
    assert pauses.acquire(timeout=30)
    goes_on.release()
    x.close()
    with viewer.makefile("rb") as stream:
        assert stream.read() == frame_head(5) + b"first" + frame_head(17) + b"secondthirdfourth"
    for one in (screen, viewer):
        one.close()


async def test_a_write_that_waits_is_woken_by_the_end() -> None:
    """A large paste while X is busy, and the tab is closed: the writer must not wait for ever."""
    (screen, x), (browser, viewer) = pair(), pair()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    pump = Pump(screen, browser, lambda: loop.call_soon_threadsafe(ended.set))
    pump.start()
    writing = asyncio.ensure_future(loop.sock_sendall(screen, b"x" * 4_000_000))
    await asyncio.sleep(0.1)
    assert not writing.done()
    pump.abort()
    await asyncio.wait_for(ended.wait(), 30)
    with contextlib.suppress(OSError):
        await asyncio.wait_for(writing, 30)
    assert writing.done()
    for one in (screen, x, browser, viewer):
        one.close()
