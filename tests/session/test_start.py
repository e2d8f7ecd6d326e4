"""What the command `daas-session` does while its X server starts."""

from __future__ import annotations

import subprocess
import sys

COUNTS = """
import gc

collected = []
gc.callbacks.append(lambda phase, info: collected.append(phase))
from daas_hub.session.start import _import_server

collected.clear()
open_egress_ports, run = _import_server()
print(collected.count("start"), gc.isenabled(), open_egress_ports.__name__, run.__module__)
"""


def test_the_import_of_the_server_collects_garbage_once_at_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", COUNTS], capture_output=True, text=True, check=True)
    collections, *rest = done.stdout.split()
    assert int(collections) <= 1, "without ours, each few modules"
    assert rest == ["True", "open_egress_ports", "daas_hub.session.server"]
