"""Debian's Nagios with everything in a folder: it verifies a definition, runs each check once, and says what came."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.not_tried import missing

NAGIOS = Path("/usr/sbin/nagios4")
OBJECTS = Path("/etc/nagios4/objects")
USER = "nagios"
#: Seconds in which it has made every check.
CHECKED_WITHIN_S = 120.0

#: Debian's nagios.cfg, with everything in the folder of the test, and a clock of seconds.
CONFIG = """\
log_file={folder}/nagios.log
{objects}
cfg_file={folder}/site.cfg
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
status_update_interval=1
nagios_user={user}
nagios_group={user}
check_external_commands=0
lock_file={folder}/nagios.pid
temp_file={folder}/nagios.tmp
temp_path={folder}
query_socket={folder}/nagios.qh
check_result_path={folder}/results
retain_state_information=0
check_for_updates=0
enable_notifications=0
service_inter_check_delay_method=n
host_inter_check_delay_method=n
check_result_reaper_frequency=1
service_check_timeout=60
interval_length=1
illegal_macro_output_chars=`~$&|'"<>
"""
#: The command that the host's template names is another package's.
HOST = """\
define command {
    command_name check-host-alive
    command_line /bin/true
}
define host {
    use       linux-server
    host_name localhost
    address   127.0.0.1
}
"""


def require_nagios() -> None:
    """Skip where it is not installed, or cannot become its own user."""
    if not NAGIOS.exists():
        missing("nagios", "nagios4-core is not installed")
    if os.geteuid() != 0:
        missing("root", "Nagios runs as a user of its own")


def checked(
    folder: Path, definition: str, count: int, as_started: Callable[..., list[str]] = lambda *argv: list(argv)
) -> dict[str, dict[str, str]]:
    """Return what Nagios knows of each service of a definition after it has checked so many of them.

    Args:
        definition: commands and services, for the host localhost.
        as_started: returns the command that starts a command.
    """
    (folder / "results").mkdir()
    (folder / "site.cfg").write_text(HOST + definition)
    objects = [f"cfg_file={OBJECTS / name}.cfg" for name in ("commands", "contacts", "timeperiods", "templates")]
    (folder / "nagios.cfg").write_text(CONFIG.format(folder=folder, objects="\n".join(objects), user=USER))
    for path in (folder, folder / "results"):
        shutil.chown(path, USER)
    verified = subprocess.run(
        [str(NAGIOS), "-v", str(folder / "nagios.cfg")], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout
    assert "Total Errors:   0" in verified.stdout
    with (folder / "out").open("wb") as log:
        nagios = subprocess.Popen(as_started(str(NAGIOS), str(folder / "nagios.cfg")), stdout=log, stderr=log)
    try:
        until = time.monotonic() + CHECKED_WITHIN_S
        while len(found := _statuses(folder / "status.dat")) < count and time.monotonic() < until:
            assert nagios.poll() is None, (folder / "out").read_text()
            time.sleep(0.5)
    finally:
        nagios.terminate()
        nagios.wait(30)
    assert len(found) == count, (folder / "nagios.log").read_text()
    return found


def _statuses(file: Path) -> dict[str, dict[str, str]]:
    """Return what Nagios knows of each service that it has checked."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for block in re.findall(r"^servicestatus \{\n(.*?)^\t\}", file.read_text(), re.DOTALL | re.MULTILINE):
            values = dict(line.strip().partition("=")[::2] for line in block.splitlines())
            if values["has_been_checked"] == "1":
                found[values["service_description"]] = values
    return found
