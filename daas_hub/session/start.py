"""The command `daas-session`: start the X server, and import the session server while it starts.

The import takes longer than the X server needs to be ready, so the two run in parallel.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from daas_hub.session.admitted import is_admitted
from daas_hub.session.desktop.xserver import XServer, start_x
from daas_hub.session.hardening import protect_server
from daas_hub.session.mount_handshake import shake_hands
from daas_hub.session.settings import Settings, read_settings


def main(argv: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser("daas-session", description="The server of a desktop session.")
    parser.add_argument("--embedded", metavar="SOCKET", help="listen on this socket file, without a login of its own")
    parser.add_argument("--application", help="the desktop application to start (default: the session's own)")
    options = parser.parse_args(argv)
    shake_hands()
    settings = read_settings()
    application = options.application or settings.application
    if settings.named(application) is None:
        parser.error(f"this session has no desktop application {application!r}")
    if options.embedded:
        # inside a notebook server, whose proxy strips its own prefix
        settings = replace(settings, prefix="/")
    protect_server(None if options.embedded else settings.listen_fd)
    x = _start_x(settings)
    open_egress_ports, run = _import_server()
    if not is_admitted():
        if x is not None:
            x.process.kill()
        return 1
    if not options.embedded:
        open_egress_ports(settings.egress)

    return run(settings, x, embedded_socket=options.embedded, application=application)


def _import_server() -> tuple[Callable[..., None], Callable[..., int]]:
    """Import what serves the session, and return its functions.

    Modules stay: looking for garbage among them would take a tenth of the time.
    """
    gc.disable()
    try:
        from daas_hub.session.egress import open_egress_ports
        from daas_hub.session.server import run
    finally:
        gc.enable()
    return open_egress_ports, run


def _start_x(settings: Settings) -> XServer | None:
    """Start the X server; return None if it is not installed, which `Desktop.start` reports."""
    # private to the session with every spawner of ours
    folder = Path(os.environ["XDG_RUNTIME_DIR"]) / f"desktop-{os.getpid()}"
    try:
        return start_x(folder, settings.title)
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
