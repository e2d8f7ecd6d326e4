"""Which locks of a session on raw data an acquisition meets (docs/explanations/decisions/0017-locks-of-readers.md).

The acquisition is a program of this machine, on the same local file system; tests/nfs has the same on NFS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_portal import Portal
from tests.sandbox.probe import probing

pytestmark = pytest.mark.sandbox

#: What a program in the session does with raw data, and holds until its end.
SESSION = {
    "reads": "open(path).read()",
    "fcntl for reading": "fcntl.lockf(file, fcntl.LOCK_SH)",
    "flock for reading": "fcntl.flock(file, fcntl.LOCK_SH)",
    "flock for writing": "fcntl.flock(file, fcntl.LOCK_EX)",
    "fcntl for writing": "fcntl.lockf(file, fcntl.LOCK_EX)",
    "SQLite": "sqlite3.connect(f'file:{db}?mode=ro', uri=True).execute('SELECT * FROM t').fetchone()",
    "SQLite, a query that is not finished": "keep.append(sqlite3.connect(f'file:{db}?mode=ro', uri=True)"
    ".execute('SELECT * FROM t')); next(keep[0])",
    "SQLite, not finished, immutable": "keep.append(sqlite3.connect(f'file:{db}?immutable=1', uri=True)"
    ".execute('SELECT * FROM t')); next(keep[0])",
}
#: What the acquisition does, without waiting.
ACQUISITION = {
    "write": "open(path, 'a').write('x')",
    "flock": "fcntl.flock(open(path, 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "fcntl": "fcntl.lockf(open(path, 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "SQLite": "c = sqlite3.connect(db, timeout=0); c.execute('INSERT INTO t VALUES (1)'); c.commit()",
}
#: What fails at the acquisition; a program in the session that is itself refused holds nothing.
MEETS = {
    "reads": set(),
    "fcntl for reading": {"fcntl"},
    "flock for reading": {"flock"},
    "flock for writing": {"flock"},
    "fcntl for writing": set(),
    "SQLite": set(),
    "SQLite, a query that is not finished": {"SQLite"},
    "SQLite, not finished, immutable": set(),
}
HOLD = """\
cat > ~/hold.py <<'END'
import fcntl, os, sqlite3, time
path, db, keep = os.path.expanduser("~/data/frames"), os.path.expanduser("~/data/log.sqlite"), []
file = open(path)
try:
    {what}
except OSError as refusal:
    print(type(refusal).__name__, refusal.errno, flush=True)
open(os.path.expanduser("~/holding"), "w").close()
time.sleep(60)
END
/usr/bin/python3 ~/hold.py &
until test -e ~/holding; do sleep 0.1; done; rm ~/holding
"""


@pytest.fixture
def raw(portal: Portal) -> Iterator[Path]:
    """Put a file of frames and a database among the raw data."""
    data = portal.state / "experiments" / "own"
    (data / "frames").write_text("counts")
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('CREATE TABLE t (n)')\n"
    code += "c.executemany('INSERT INTO t VALUES (?)', [(n,) for n in range(100)]); c.commit()"
    subprocess.run([sys.executable, "-c", code, data / "log.sqlite"], check=True)
    for name in ("frames", "log.sqlite"):
        os.chmod(data / name, 0o644)
    yield data
    for name in ("frames", "log.sqlite"):
        (data / name).unlink()


def acquire(data: Path, what: str) -> str:
    """Let the acquisition do this; return its error, "" if it worked."""
    code = f"import fcntl, sqlite3\npath, db = '{data}/frames', '{data}/log.sqlite'\n{what}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return (ran.stderr.strip().splitlines() or [""])[-1]


@pytest.mark.parametrize("what", SESSION)
def test_what_an_acquisition_meets(portal: Portal, raw: Path, what: str) -> None:
    script = HOLD.format(what=SESSION[what])
    with probing(portal.login("anna"), "anna", script, proposal="TS-0001", visit="1") as probe:
        said = probe.output()
        errors = {name: acquire(raw, code) for name, code in ACQUISITION.items()}
    assert said == ("OSError 9\n" if what == "fcntl for writing" else ""), said
    assert {name for name, error in errors.items() if error} == MEETS[what], errors
    refusals = ("BlockingIOError: [Errno 11]", "sqlite3.OperationalError: database is locked", "")
    assert all(error.startswith(refusals[:2]) or not error for error in errors.values()), errors
