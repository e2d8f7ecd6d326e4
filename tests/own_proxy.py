"""A proxy that is a service of its own, as in an installed portal: it stays when the hub is killed and started."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator

from daas_hub.configuration import proxy_command
from daas_hub.proxy_guard import guard_environment
from tests.not_tried import missing
from tests.waiting import wait_for

TOKEN = "token-of-the-tests"
#: What the hub's configuration needs for it.
CONFIG = f"""
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.auth_token = {TOKEN!r}
"""


@contextlib.contextmanager
def own_proxy(port: int) -> Iterator[None]:
    """Run the proxy of a test portal (`live_portal.start_portal`) on the portal's port until the end of the block."""
    command = proxy_command()
    if not command:
        missing("proxy", "configurable-http-proxy is not installed")
    hub, api = port + 2, port + 3
    argv = [*command, "--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api)]
    argv += ["--error-target", f"http://127.0.0.1:{hub}/hub/error", "--log-level", "error"]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *argv],
        env=os.environ | guard_environment({}) | {"CONFIGPROXY_AUTH_TOKEN": TOKEN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _listens(port), "the proxy", 30)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False
