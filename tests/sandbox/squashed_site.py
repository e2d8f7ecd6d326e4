"""A portal whose homes, raw data and results are on storage that squashes root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.stand_ins.squashing import squashing

ANNA, GROUP = 25001, 26001
#: What each visit of TS-0002 has: one directory, two, one whose parent the account may not enter, and ill ones.
VISITS: dict[int, list[str]] = {
    1: ["visitor/ts2/raw"],
    2: ["visitor/ts2/raw", "visitor/ts2/more data"],
    3: ["visitor/closed/raw"],
    4: ["visitor/stale-handle/raw"],
    5: ["visitor/ts2/link"],
    # in a directory of its own: the kernel looks up one name of a directory after the other
    6: ["ill/never-answers/raw"],
}


def directory(path: Path, uid: int, gid: int, mode: int) -> Path:
    """Make a directory with this owner and mode."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


@contextmanager
def squashed_storage(state: Path) -> Iterator[str]:
    """Serve the storage of a portal with these proposals; yield the lines of its configuration."""
    real, store = state / "real", state / "store"
    store.mkdir()
    directory(real / "homes", 0, 0, 0o755)
    directory(real / "homes" / "anna", ANNA, ANNA, 0o700)
    directory(real / "results", 0, 0, 0o755)
    # who is in the group may make what is missing
    directory(real / "results" / "TS-0002", 0, GROUP, 0o2770)
    directory(real / "visitor" / "ts2", 0, GROUP, 0o750)
    directory(real / "visitor" / "closed" / "raw", 0, GROUP, 0o2750)
    directory(real / "visitor" / "closed", 0, 0, 0o700)
    for name in ("raw", "more data"):
        folder = directory(real / "visitor" / "ts2" / name, 0, GROUP, 0o2750)
        (folder / "scan.h5").write_text("counts")
        os.chown(folder / "scan.h5", 0, GROUP)
    (real / "visitor" / "ts2" / "link").symlink_to("raw")
    directory(real / "ill", 0, 0, 0o755)
    # what a test of this portal writes to a home, it writes as the server would
    (state / "homes").symlink_to(real / "homes")
    proposals = yaml.safe_load((state / "proposals.yaml").read_text())
    visits = [{"number": number, "data": [f"{store}/{path}" for path in paths]} for number, paths in VISITS.items()]
    proposals["proposals"].append(
        {"id": "TS-0002", "title": "Squashed storage", "members": ["anna"], "gid": GROUP, "visits": visits}
    )
    (state / "proposals.yaml").write_text(yaml.safe_dump(proposals))
    with squashing(real, store):
        yield (
            f"c.MountRules.data_roots = {[f'{store}/visitor', f'{store}/ill']!r}\n"
            f"c.MountRules.home = '{store}/homes/{{account}}'\n"
            f"c.MountRules.processed = '{store}/results/{{proposal}}/{{number}}'\n"
        )
