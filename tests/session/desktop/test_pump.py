"""The thread that moves the screen: whole frames, and an end that leaves nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

import pytest

from daas_hub.session.desktop.pump import PIECE_BYTES, Pump, frame_head


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
