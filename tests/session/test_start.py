"""What the command `daas-session` does while its X server starts."""

from __future__ import annotations

import subprocess
import sys

COUNTS = """
import gc

collected = []
gc.callbacks.append(lambda phase, info: collected.append(info))
from daas_hub.session.start import _import_server

collected.clear()
open_egress_ports, run = _import_server()
print(len(collected), gc.isenabled(), open_egress_ports.__name__, run.__module__)
"""


def test_the_import_of_the_server_collects_no_garbage() -> None:
    done = subprocess.run([sys.executable, "-c", COUNTS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "open_egress_ports", "daas_hub.session.server"]
