"""`daas-hub demo`: run a portal for trying it out, until Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import click

from daas_hub.commands.check_config import check_config
from daas_hub.errors import DaasError

START_TIMEOUT_S = 90.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def demo(file: Path) -> int:
    """Run a portal for trying it out.

    The hub runs in the foreground; its address is printed once it responds.
    """
    try:
        problems = check_config(file)
    except DaasError as error:
        problems = [error]
    if problems:
        for problem in problems:
            click.echo(f"problem: {problem}", err=True)
        return 1
    from daas_hub.demo.ports import COUNT, LOOPBACK, busy_ports, first_port

    first, busy = first_port(), busy_ports()
    if busy:
        click.echo(
            f"problem: port {', '.join(map(str, busy))} of 127.0.0.1 is in use, and the demo needs {first} to "
            f"{first + COUNT - 1}. Stop what uses it, or choose other ports: DAAS_DEMO_PORT={first + 1000}.",
            err=True,
        )
        return 1
    file = file.resolve()
    token = secrets.token_hex(32)
    program = str(Path(sys.executable).parent / "jupyterhub")
    hub = subprocess.Popen([program, "-f", str(file)], cwd="/", env=os.environ | {"CONFIGPROXY_AUTH_TOKEN": token})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: hub.send_signal(received))
    # by the proxy's API: a request for a page, which it has no route for yet, would be an error in its log
    if _has_route(f"http://{LOOPBACK}:{first + 3}/api/routes", token, hub):
        _print_welcome(first)
    return hub.wait()


def _has_route(api: str, token: str, hub: subprocess.Popen[bytes]) -> bool:
    """Wait until the proxy has the hub's route; return False if the hub ended before."""
    asking = urllib.request.Request(api, headers={"Authorization": f"token {token}"})  # noqa: S310  # our own address
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and hub.poll() is None:
        try:
            with urllib.request.urlopen(asking, timeout=5) as routes:  # noqa: S310
                if "/" in json.load(routes):
                    return True
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    return False


def _print_welcome(port: int) -> None:
    from daas_hub.demo.ports import LOOPBACK, host_name
    from daas_hub.demo.profile import PEOPLE

    lines = [
        f"Open http://{host_name()}:{port}/ in a browser on this machine, "
        "press 'Sign in', and choose one of these people:"
    ]
    lines += [f"  {subject:<8} {name}: {re.sub('^.', lambda m: m[0].lower(), words)}"
              for subject, (name, words) in PEOPLE.items()]  # fmt: skip
    if host_name() != LOOPBACK:
        plain = f"DAAS_DEMO_HOST={LOOPBACK} make demo"
        lines.append(f"If the browser does not find {host_name()}, stop, and run: {plain}")
    lines.append("Press Ctrl-C to stop the demo and all its sessions.")
    width = max(len(line) for line in lines)
    print("\n".join(["", "=" * width, *lines, "=" * width, ""]), flush=True)
