"""Debian's Nagios runs the doctor by the command of deploy/nagios, and reads what it prints."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daas_hub.demo.identity_provider import __file__ as provider_file
from tests.live_portal import free_ports
from tests.not_tried import missing

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[3]
DEFINITION = ROOT / "deploy" / "nagios" / "daas-hub.cfg"
NAGIOS = Path("/usr/sbin/nagios4")
OBJECTS = Path("/etc/nagios4/objects")
PYTHON = Path(sys.executable)

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
from daas_hub import configure
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
    assert text.count("/usr/bin/sudo -n /opt/daas-hub/bin/daas-hub") == 1
    # no sudo: Nagios runs as the user of the test
    text = text.replace("/usr/bin/sudo -n /opt/daas-hub/bin/daas-hub", str(PYTHON.with_name("daas-hub")))
    command, _, service = text.partition("define service")
    services = [
        "define service"
        + re.sub(r"check_interval .*", "check_interval 3600", service)
        .replace("Data analysis portal", name)
        .replace("/etc/daas-hub/jupyterhub_config.py", str(file))
        for name, file in files.items()
    ]
    return "\n".join([command, HOST, *services])


def statuses(file: Path) -> dict[str, dict[str, str]]:
    """Return what Nagios knows of each service that it has checked."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for block in re.findall(r"^servicestatus \{\n(.*?)^\t\}", file.read_text(), re.DOTALL | re.MULTILINE):
            values = dict(line.strip().partition("=")[::2] for line in block.splitlines())
            if values["has_been_checked"] == "1":
                found[values["service_description"]] = values
    return found


def test_nagios_reads_the_doctor(tmp_path: Path) -> None:
    """The configuration is verified by Nagios itself, then it runs each check once."""
    if not NAGIOS.exists():
        missing("nagios", "nagios4-core is not installed")
    if os.geteuid() != 0:
        missing("root", "the doctor reads what only root can read")
    port = free_ports(1)
    (tmp_path / "results").mkdir()
    (tmp_path / "applications").mkdir()
    (tmp_path / "applications" / "x.yaml").write_text("{name: x, title: X, kind: desktop, command: [sleep, '60']}\n")
    (tmp_path / "accounts.yaml").write_text("accounts: []\n")
    (tmp_path / "proposals.yaml").write_text("proposals: []\n")
    files = {name: tmp_path / f"{name}.py" for name in ("portal", "mistake", "absent")}
    files["portal"].write_text(PORTAL.format(folder=tmp_path, port=port))
    files["mistake"].write_text(PORTAL.format(folder=tmp_path, port=port) + "c.Facility.accounts = 'no-such'\n")
    (tmp_path / "site.cfg").write_text(services_of(files))
    objects = [f"cfg_file={OBJECTS / name}.cfg" for name in ("commands", "contacts", "timeperiods", "templates")]
    (tmp_path / "nagios.cfg").write_text(CONFIG.format(folder=tmp_path, objects="\n".join(objects), user="root"))
    verified = subprocess.run(
        [str(NAGIOS), "-v", str(tmp_path / "nagios.cfg")], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout
    assert "Total Errors:   0" in verified.stdout
    log = (tmp_path / "out").open("wb")
    provider = subprocess.Popen([str(PYTHON), provider_file, str(port)], stdout=log, stderr=log)
    env = os.environ | {"JUPYTERHUB_CRYPT_KEY": "0123456789abcdef" * 4}
    nagios = subprocess.Popen([str(NAGIOS), str(tmp_path / "nagios.cfg")], env=env, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while len(found := statuses(tmp_path / "status.dat")) < len(files) and time.monotonic() < until:
            assert nagios.poll() is None, (tmp_path / "out").read_text()
            time.sleep(0.5)
    finally:
        for process in (nagios, provider):
            process.terminate()
            process.wait(30)
        log.close()
    states = {name: (values["current_state"], values["plugin_output"]) for name, values in found.items()}
    assert {*states} == {*files}, (tmp_path / "nagios.log").read_text()
    assert states["absent"][0] == "3"
    assert states["absent"][1].startswith("DAAS_HUB UNKNOWN - ")
    assert states["mistake"][0] == "2"
    assert states["mistake"][1].startswith("DAAS_HUB CRITICAL - 1 problem")
    # a provider without TLS: in order or not, it is one of the plugin's words and its own code
    word = states["portal"][1].split()[1]
    assert ("OK", "WARNING", "CRITICAL")[int(states["portal"][0])] == word, states["portal"]
    assert re.search(r"\bpassed=[1-9]\d* .*\btime=[0-9.]+s", found["portal"]["performance_data"])
