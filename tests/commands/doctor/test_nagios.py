"""Debian's Nagios runs the doctor by the command of deploy/nagios, with sudo, and reads what it prints."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.demo.identity_provider import __file__ as provider_file
from tests.live_portal import free_ports, new_state
from tests.not_tried import missing

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[3]
DEFINITION = ROOT / "deploy" / "nagios" / "daas-hub.cfg"
NAGIOS = Path("/usr/sbin/nagios4")
SUDO = Path("/usr/bin/sudo")
OBJECTS = Path("/etc/nagios4/objects")
PYTHON = Path(sys.executable)
INSTALLED, CONFIGURED = "/opt/daas-hub/bin/daas-hub", "/etc/daas-hub/jupyterhub_config.py"

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
#: The checks of the test: what is configured, and the state that Nagios must have.
PORTAL = """\
from daas_hub import configure, read_environment
# sudo hands on no environment
read_environment("{folder}/environment")
configure(c)
c.Facility.accounts_file = "{folder}/accounts.yaml"
c.Facility.proposals_file = "{folder}/proposals.yaml"
c.Facility.catalogue = ["{folder}/applications"]
c.UmbrellaAuthenticator.oidc_issuer = "http://127.0.0.1:{port}"
c.UmbrellaAuthenticator.client_id = "daas-hub-demo"
c.UmbrellaAuthenticator.client_secret = "not-a-secret"
"""


def services_of(files: dict[str, Path]) -> str:
    """Return the definition that is shipped, with this installation's program, and one service per file."""
    text = DEFINITION.read_text()
    assert text.count(f"/usr/bin/sudo -n {INSTALLED}") == 1
    text = text.replace(INSTALLED, str(PYTHON.with_name("daas-hub")))
    command, _, service = text.partition("define service")
    services = [
        "define service"
        + re.sub(r"check_interval .*", "check_interval 3600", service)
        .replace("Data analysis portal", name)
        .replace(CONFIGURED, str(file))
        for name, file in files.items()
    ]
    return "\n".join([command, HOST, *services])


def sudoers_of(files: dict[str, Path]) -> str:
    """Return the line that the definition shows for sudoers, once for each file."""
    line = re.search(r"^#   (nagios ALL=.*)$", DEFINITION.read_text(), re.MULTILINE)
    assert line
    program = line[1].replace(INSTALLED, str(PYTHON.with_name("daas-hub")))
    return "".join(f"{program.replace(CONFIGURED, str(file))}\n" for file in files.values())


def with_sudoers(folder: Path, *argv: str) -> list[str]:
    """Return a command that runs where the folder is /etc/sudoers.d, which stays as it is on the machine."""
    script = 'mount --bind "$0" /etc/sudoers.d && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(folder), *argv]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Nagios's user can reach, with pytest's own closed."""
    made = new_state()
    yield made
    shutil.rmtree(made)


def statuses(file: Path) -> dict[str, dict[str, str]]:
    """Return what Nagios knows of each service that it has checked."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for block in re.findall(r"^servicestatus \{\n(.*?)^\t\}", file.read_text(), re.DOTALL | re.MULTILINE):
            values = dict(line.strip().partition("=")[::2] for line in block.splitlines())
            if values["has_been_checked"] == "1":
                found[values["service_description"]] = values
    return found


def test_nagios_reads_the_doctor(folder: Path) -> None:
    """The configuration is verified by Nagios itself, then it runs each check once, as its own user."""
    if not NAGIOS.exists() or not SUDO.exists():
        missing("nagios", "nagios4-core or sudo is not installed")
    if os.geteuid() != 0:
        missing("root", "the doctor reads what only root can read")
    port = free_ports(1)
    (folder / "results").mkdir()
    (folder / "applications").mkdir()
    (folder / "applications" / "x.yaml").write_text("{name: x, title: X, kind: desktop, command: [sleep, '60']}\n")
    (folder / "environment").write_text(f"JUPYTERHUB_CRYPT_KEY={'0123456789abcdef' * 4}\n")
    (folder / "environment").chmod(0o600)
    (folder / "accounts.yaml").write_text("accounts: []\n")
    (folder / "proposals.yaml").write_text("proposals: []\n")
    files = {name: folder / f"{name}.py" for name in ("portal", "mistake", "absent")}
    files["portal"].write_text(PORTAL.format(folder=folder, port=port))
    files["mistake"].write_text(PORTAL.format(folder=folder, port=port) + "c.Facility.accounts = 'no-such'\n")
    (folder / "site.cfg").write_text(services_of(files))
    objects = [f"cfg_file={OBJECTS / name}.cfg" for name in ("commands", "contacts", "timeperiods", "templates")]
    (folder / "nagios.cfg").write_text(CONFIG.format(folder=folder, objects="\n".join(objects), user="nagios"))
    (folder / "sudoers").mkdir()
    (folder / "sudoers" / "daas-hub").write_text(sudoers_of(files))
    (folder / "sudoers" / "daas-hub").chmod(0o440)
    for path in (folder, folder / "results"):
        shutil.chown(path, "nagios")
    verified = subprocess.run(
        [str(NAGIOS), "-v", str(folder / "nagios.cfg")], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout
    assert "Total Errors:   0" in verified.stdout
    log = (folder / "out").open("wb")
    provider = subprocess.Popen([str(PYTHON), provider_file, str(port)], stdout=log, stderr=log)
    argv = with_sudoers(folder / "sudoers", str(NAGIOS), str(folder / "nagios.cfg"))
    nagios = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while len(found := statuses(folder / "status.dat")) < len(files) and time.monotonic() < until:
            assert nagios.poll() is None, (folder / "out").read_text()
            time.sleep(0.5)
    finally:
        for process in (nagios, provider):
            process.terminate()
            process.wait(30)
        log.close()
    states = {name: (values["current_state"], values["plugin_output"]) for name, values in found.items()}
    assert {*states} == {*files}, (folder / "nagios.log").read_text()
    assert states["absent"][0] == "3"
    assert states["absent"][1].startswith("DAAS_HUB UNKNOWN - ")
    assert states["mistake"][0] == "2"
    assert states["mistake"][1].startswith("DAAS_HUB CRITICAL - 1 problem")
    # a provider without TLS: in order or not, it is one of the plugin's words and its own code
    word = states["portal"][1].split()[1]
    assert ("OK", "WARNING", "CRITICAL")[int(states["portal"][0])] == word, states["portal"]
    assert re.search(r"\bpassed=[1-9]\d* .*\btime=[0-9.]+s", found["portal"]["performance_data"])


def test_sudo_allows_the_check_and_nothing_else(folder: Path) -> None:
    """Neither another configuration, which is a program that root would run, nor another command."""
    if not NAGIOS.exists() or not SUDO.exists():
        missing("nagios", "nagios4-core or sudo is not installed")
    if os.geteuid() != 0:
        missing("root", "sudoers is root's")
    (folder / "sudoers").mkdir()
    (folder / "sudoers" / "daas-hub").write_text(sudoers_of({"portal": folder / "portal.py"}))
    (folder / "sudoers" / "daas-hub").chmod(0o440)
    program = str(PYTHON.with_name("daas-hub"))

    def ran(*command: str) -> subprocess.CompletedProcess[str]:
        argv = with_sudoers(
            folder / "sudoers", "setpriv", "--reuid=nagios", "--regid=nagios", "--clear-groups", *command
        )
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")

    allowed = ran("sudo", "-n", program, "doctor", "--nagios", str(folder / "portal.py"))
    assert allowed.stdout.startswith("DAAS_HUB UNKNOWN - "), allowed
    for command in (
        (program, "doctor", "--nagios", str(folder / "other.py")),
        (program, "doctor", str(folder / "portal.py")),
        (program, "doctor", "--nagios", str(folder / "portal.py"), "--as", "anna"),
        (str(PYTHON), "-c", "print()"),
    ):
        refused = ran("sudo", "-n", *command)
        assert refused.returncode == 1, command
        assert "password is required" in refused.stderr or "not allowed" in refused.stderr, refused
