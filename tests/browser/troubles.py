"""What goes wrong between a browser and a session, and the keys that leave a desktop."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.live_portal import Portal


@contextmanager
def frozen(portal: Portal) -> Iterator[None]:
    """Stop the proxy, so that every connection stays open and carries nothing: a network that swallows packets."""
    words = [f"--port={portal.port}".encode(), f"--port\0{portal.port}".encode()]
    lines = {entry: (entry / "cmdline").read_bytes() for entry in Path("/proc").glob("[0-9]*") if is_readable(entry)}
    (proxy,) = [int(entry.name) for entry, line in lines.items() if any(word in line for word in words)]
    os.kill(proxy, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(proxy, signal.SIGCONT)


def is_readable(entry: Path) -> bool:
    try:
        return bool((entry / "cmdline").read_bytes())
    except OSError:
        return False


def leave_by_keyboard(page: Page) -> None:
    for key in ("Control", "Alt", "Shift"):
        page.keyboard.down(key)
    for key in ("Shift", "Alt", "Control"):
        page.keyboard.up(key)
