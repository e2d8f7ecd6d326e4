"""What tests of restored databases share."""

from __future__ import annotations

import json
import time
from pathlib import Path


def wait_stored(runtime_dir: Path, count: int) -> None:
    """Wait until the hub has recorded that its database has this number of completed starts."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        records = [json.loads(file.read_text()) for file in (runtime_dir / "records").glob("*.json")]
        if sum(one["is_stored"] for one in records) == count:
            return
        time.sleep(0.1)
    raise AssertionError(records)
