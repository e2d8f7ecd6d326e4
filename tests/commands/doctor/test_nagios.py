"""Debian's Nagios runs the doctor by the command of deploy/nagios, with sudo, and reads what it prints."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.demo.identity_provider import __file__ as provider_file
from tests.live_portal import free_ports, new_state
from tests.not_tried import missing
from tests.stand_ins.nagios import checked, require_nagios

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[3]
DEFINITION = ROOT / "deploy" / "nagios" / "daas-hub.cfg"
SUDO = Path("/usr/bin/sudo")
PYTHON = Path(sys.executable)
INSTALLED, CONFIGURED = "/opt/daas-hub/bin/daas-hub", "/etc/daas-hub/jupyterhub_config.py"

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
    return "\n".join([command, *services])


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


def require_nagios_and_sudo() -> None:
    """Skip where they are not installed."""
    require_nagios()
    if not SUDO.exists():
        missing("nagios", "sudo is not installed")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Nagios's user can reach, with pytest's own closed."""
    made = new_state()
    yield made
    shutil.rmtree(made)


def test_nagios_reads_the_doctor(folder: Path) -> None:
    """The configuration is verified by Nagios itself, then it runs each check once, as its own user."""
    require_nagios_and_sudo()
    port = free_ports(1)
    (folder / "applications").mkdir()
    (folder / "applications" / "x.yaml").write_text("{name: x, title: X, kind: desktop, command: [sleep, '60']}\n")
    (folder / "environment").write_text(f"JUPYTERHUB_CRYPT_KEY={'0123456789abcdef' * 4}\n")
    (folder / "environment").chmod(0o600)
    (folder / "accounts.yaml").write_text("accounts: []\n")
    (folder / "proposals.yaml").write_text("proposals: []\n")
    files = {name: folder / f"{name}.py" for name in ("portal", "mistake", "absent")}
    files["portal"].write_text(PORTAL.format(folder=folder, port=port))
    files["mistake"].write_text(PORTAL.format(folder=folder, port=port) + "c.Facility.accounts = 'no-such'\n")
    (folder / "sudoers").mkdir()
    (folder / "sudoers" / "daas-hub").write_text(sudoers_of(files))
    (folder / "sudoers" / "daas-hub").chmod(0o440)
    with (folder / "provider").open("wb") as log:
        provider = subprocess.Popen([str(PYTHON), provider_file, str(port)], stdout=log, stderr=log)
    try:
        found = checked(folder, services_of(files), len(files), lambda *argv: with_sudoers(folder / "sudoers", *argv))
    finally:
        provider.terminate()
        provider.wait(30)
    states = {name: (values["current_state"], values["plugin_output"]) for name, values in found.items()}
    assert {*states} == {*files}
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
    require_nagios_and_sudo()
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
