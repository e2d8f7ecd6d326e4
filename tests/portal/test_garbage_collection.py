"""How often a hub collects garbage, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from daas_hub.portal.garbage_collection import collect_rarely

class Node:
    pass

collect_rarely()
assert gc.isenabled() and gc.get_freeze_count() > 1000
before = gc.get_stats()[0]["collections"]
kept = [Node() for _ in range(5000)]
assert gc.get_stats()[0]["collections"] == before, "not for a few thousand objects"
for _ in range(50_000):
    node = Node()
    node.itself = node
assert gc.get_stats()[0]["collected"] > 10_000, "cycles are freed all the same"
"""


def test_it_is_rare_and_goes_on() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60, cwd="/")
