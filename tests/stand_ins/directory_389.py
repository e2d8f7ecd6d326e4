"""A real 389 Directory Server for tests, with its files in a mount namespace of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.live_portal import free_ports
from tests.stand_ins.administered_directory import AdministeredDirectory, administrator

SUFFIX = "dc=facility,dc=org"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ROOT, ROOT_PASSWORD, PASSWORD = "cn=Directory Manager", "Directory-1", "Correct-Horse 7"

INSTANCE = """\
[general]
config_version = 2
full_machine_name = localhost
strict_host_checking = False
selinux = False
systemd = False
[slapd]
instance_name = daas
port = {port}
secure_port = {tls_port}
self_sign_cert = True
root_password = {password}
[backend-userroot]
suffix = {suffix}
sample_entries = no
create_suffix_entry = True
"""
#: its tools look for systemd in their defaults, and keep everything below four directories of the system
RUN = """\
set -e
cd "$1"
sed 's/^with_systemd = 1/with_systemd = 0/' /usr/share/dirsrv/inf/defaults.inf > defaults.inf
mount --bind defaults.inf /usr/share/dirsrv/inf/defaults.inf
for directory in etc/dirsrv var/lib/dirsrv var/log/dirsrv; do
  mkdir -p "$directory"
  cp -a "/$directory/." "$directory/"
  chown --reference="/$directory" "$directory"
  mount --bind "$directory" "/$directory"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/dirsrv /run/lock/dirsrv
chown dirsrv:dirsrv /run/dirsrv /run/lock/dirsrv
dscreate from-file instance.inf
cp /etc/dirsrv/slapd-daas/ca.crt ca.pem
cp /run/dirsrv/slapd-daas.pid server.pid 2> /dev/null || cp /run/slapd-daas.pid server.pid
exec sleep infinity
"""


def problem() -> str:
    """Return why it cannot run here; "" if it can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    if os.geteuid() != 0:
        return "only root can set up a 389 Directory Server"
    has_all = all(shutil.which(name, path=path) for name in ("dscreate", "ns-slapd"))
    return "" if has_all else "389 Directory Server is not installed (the Debian package 389-ds-base)"


class Directory389(AdministeredDirectory):
    """A server with two organisational units; people and groups are added by tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_ports(2)
        instance = INSTANCE.format(port=self.port, tls_port=self.port + 1, password=ROOT_PASSWORD, suffix=SUFFIX)
        (folder / "instance.inf").write_text(instance)
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", RUN, "sh", str(folder)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env=os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"},
            )  # fmt: skip
        self.ca = str(folder / "ca.pem")
        try:
            self.connection = self._connected()
        except BaseException:
            self.stop()
            raise
        for name in ("people", "groups"):
            self.add(f"ou={name},{SUFFIX}", ["organizationalUnit"], ou=name)
        self._number = 25_000
        # what the portal reads, it may read
        rule = 'version 3.0; acl "read"; allow (read,search,compare) userdn = "ldap:///anyone";'
        aci = f'(targetattr != "userPassword")({rule})'
        self.change(SUFFIX, aci=aci)

    @property
    def ldaps(self) -> str:
        """The address for LDAP over TLS."""
        return f"ldaps://localhost:{self.port + 1}"

    def person(self, name: str, **more: Any) -> str:
        """Add a person; return the DN."""
        self._number += 1
        dn = f"uid={name},{PEOPLE}"
        numbers = {"uidNumber": str(self._number), "gidNumber": str(self._number), "homeDirectory": f"/home/{name}"}
        kinds = ["top", "inetOrgPerson", "posixAccount"]
        self.add(dn, kinds, uid=name, cn=name, sn=name, userPassword=PASSWORD, **numbers)
        if more:
            self.change(dn, **more)
        return dn

    def group(self, name: str, gid: int, members: Sequence[str]) -> str:
        """Add a posixGroup; return the DN."""
        dn = f"cn={name},{GROUPS}"
        self.add(dn, ["top", "posixGroup"], cn=name, gidNumber=str(gid), memberUid=list(members))
        return dn

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the settings of `LdapAccounts` for it."""
        settings = {"servers": [self.ldaps], "ca_file": self.ca, "person_base": PEOPLE, "group_base": GROUPS}
        return settings | {"operation_timeout_s": 20.0, "timeout_s": 60.0} | more

    def stop(self) -> None:
        """End it."""
        self.disconnect()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.folder / "server.pid").read_text()), signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def _connected(self) -> Any:
        while not (self.folder / "server.pid").exists() and self.process.poll() is None:
            time.sleep(0.2)
        return administrator(
            "localhost",
            self.port + 1,
            ca=self.ca,
            user=ROOT,
            password=ROOT_PASSWORD,
            is_running=lambda: self.process.poll() is None,
        )


@contextlib.contextmanager
def directory_389() -> Iterator[Directory389]:
    """Run a 389 Directory Server. Its account must reach its directory."""
    with tempfile.TemporaryDirectory(prefix="ds-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        one = Directory389(Path(folder))
        try:
            yield one
        finally:
            one.stop()
