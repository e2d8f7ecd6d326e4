"""The thread that moves the screen: whole frames, and an end that leaves nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import termios
import threading
import time

import pytest

from daas_hub.session.desktop import pump as pump_module
from daas_hub.session.desktop.pump import GATHERED_BYTES, LARGE_BYTES, PIECE_BYTES, Pump, frame_head


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
    assert ended.wait(5), "X has ended, and so has the pump"
    for one in (screen, browser, viewer):
        one.close()


def payload_lengths(viewer: socket.socket, total: int) -> list[int]:
    """Read frames until their payloads have this length together."""
    found: list[int] = []
    with viewer.makefile("rb") as stream:
        while sum(found) < total:
            _, small = stream.read(2)
            found.append(int.from_bytes(stream.read({126: 2, 127: 8}.get(small, 0)), "big") or small)
            stream.read(found[-1])
    return found


@pytest.mark.parametrize(
    ("pieces", "lengths"),
    [
        ([11_000, 11_000, 11_000, 10], [33_010]),
        ([60_000, 11_000, 10], [GATHERED_BYTES, 71_000 - GATHERED_BYTES, 10]),
        ([LARGE_BYTES - 1, 10], [LARGE_BYTES - 1, 10]),
        ([900, 11_000, 10], [900, 11_010]),
    ],
    ids=["a large update", "no more than the proxy reads at once", "small ones", "a small one before a large one"],
)
def test_pieces_of_a_large_update_are_sent_together(
    pieces: list[int], lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # no busy machine is slower
    monkeypatch.setattr(pump_module, "GATHER_MS", 20_000)
    (screen, x), (browser, viewer) = pair(), pair()
    viewer.settimeout(10)
    ended = threading.Event()
    Pump(screen, browser, ended.set).start()

    def draw() -> None:
        for piece in pieces:
            x.sendall(bytes(piece))
            wait_until_read(x)

    drawing = threading.Thread(target=draw)
    drawing.start()
    assert payload_lengths(viewer, sum(pieces)) == lengths
    drawing.join()
    x.close()
    assert ended.wait(5)
    for one in (screen, browser, viewer):
        one.close()


def wait_until_read(x: socket.socket) -> None:
    """Wait until the other side has read all that was sent."""
    waiting = bytearray(4)
    while fcntl.ioctl(x, termios.TIOCOUTQ, waiting) or any(waiting):
        time.sleep(0.001)


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
    await asyncio.wait_for(ended.wait(), 5)
    with contextlib.suppress(OSError):
        await asyncio.wait_for(writing, 5)
    assert writing.done()
    for one in (screen, x, browser, viewer):
        one.close()
