"""A real Active Directory for tests: Samba's domain controller, in a network of its own, over TLS."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.stand_ins import own_network
from tests.stand_ins.administered_directory import AdministeredDirectory, administrator
from tests.stand_ins.directory import make_certificates

BASE = "DC=ad,DC=facility,DC=org"
PEOPLE, GROUPS, SERVICES = f"OU=people,{BASE}", f"OU=groups,{BASE}", f"OU=services,{BASE}"
ADMIN, PASSWORD, SERVICE_PASSWORD = "Adm1n-only-here", "Str0ng-for-test", "Daas-s3rvice-pw"
LDAPS, GLOBAL_CATALOGUE = 636, 3269
_NEEDED = ("samba", "samba-tool", "unshare")


def problem() -> str:
    """Return why it cannot run here; "" if it can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    if os.geteuid() != 0:
        return "only root can run a domain controller"
    missing = [name for name in _NEEDED if shutil.which(name, path=path) is None]
    packages = "samba-ad-dc samba-ad-provision samba-dsdb-modules winbind python3-samba"
    return f"{', '.join(missing)} is not installed (the Debian packages {packages})" if missing else ""


class ActiveDirectory(AdministeredDirectory):
    """A domain controller with a few organisational units; people and groups are added by tests."""

    def __init__(self, folder: Path, *, lockout_threshold: int = 0) -> None:
        self.folder = folder
        folder.chmod(0o755)
        make_certificates(folder, "127.0.0.1")
        (folder / "server.key").chmod(0o600)
        self.ca = str(folder / "ca.pem")
        self._provision()
        if lockout_threshold:
            self._tool("domain", "passwordsettings", "set", f"--account-lockout-threshold={lockout_threshold}")
        self.process, self.ports = self._start()
        try:
            self.connection = administrator(
                "127.0.0.1",
                self.ports[LDAPS],
                ca=self.ca,
                user="Administrator@ad.facility.org",
                password=ADMIN,
                is_running=lambda: self.process.poll() is None,
            )
        except BaseException:
            self.stop()
            raise
        for dn in (PEOPLE, GROUPS, SERVICES):
            self.add(dn, ["organizationalUnit"])
        self._number = 30_000
        self.person("daas", under=SERVICES, password=SERVICE_PASSWORD, has_numbers=False)
        self.secret = folder / "password"
        self.secret.write_text(f"{SERVICE_PASSWORD}\n")
        self.secret.chmod(0o600)

    @property
    def ldaps(self) -> str:
        """The address for LDAP over TLS."""
        return f"ldaps://127.0.0.1:{self.ports[LDAPS]}"

    @property
    def global_catalogue(self) -> str:
        """The address of the global catalogue over TLS."""
        return f"ldaps://127.0.0.1:{self.ports[GLOBAL_CATALOGUE]}"

    def person(
        self,
        name: str,
        *,
        under: str = PEOPLE,
        password: str = PASSWORD,
        has_numbers: bool = True,
        flags: int = 512,
        **more: Any,
    ) -> str:
        """Add a person; return the DN."""
        dn = f"CN={name},{under}"
        self._number += 1
        numbers = {"uidNumber": str(self._number), "gidNumber": "30500", "uid": name} if has_numbers else {}
        kinds = ["top", "person", "organizationalPerson", "user"]
        upn = f"{name}@ad.facility.org"
        self.add(dn, kinds, sAMAccountName=name, userPrincipalName=upn, displayName=f"Person {name}", **numbers)
        self.change(dn, unicodePwd=f'"{password}"'.encode("utf-16-le"), userAccountControl=str(flags), **more)
        return dn

    def group(self, name: str, gid: int | None = None, members: Sequence[str] = ()) -> str:
        """Add a security group; return its DN."""
        dn = f"CN={name},{GROUPS}"
        more: dict[str, Any] = {"gidNumber": str(gid)} if gid else {}
        if members:
            more["member"] = list(members)
        self.add(dn, ["top", "group"], sAMAccountName=name, groupType="-2147483646", **more)
        return dn

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the settings of `LdapAccounts` for it."""
        settings = {"profile": "active-directory", "servers": [self.ldaps], "ca_file": self.ca, "person_base": PEOPLE}
        settings |= {"bind_dn": f"CN=daas,{SERVICES}", "password_file": str(self.secret), "group_base": GROUPS}
        return settings | {"operation_timeout_s": 20.0, "timeout_s": 60.0} | more

    def stop(self) -> None:
        """End it."""
        self.disconnect()
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _provision(self) -> None:
        inner = self.folder
        made = subprocess.run(
            ["unshare", "--uts", "sh", "-c", 'hostname dc1; exec "$@"', "sh", "samba-tool", "domain", "provision",
             "--realm=AD.FACILITY.ORG", "--domain=AD", "--server-role=dc", "--dns-backend=NONE", "--use-rfc2307",
             f"--adminpass={ADMIN}", "--host-ip=127.0.0.1", "--host-name=dc1", f"--targetdir={inner}/d",
             "--option=interfaces=lo", "--option=bind interfaces only=yes"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr[-2000:]
        conf = inner / "d/etc/smb.conf"
        (inner / "d/run").mkdir(exist_ok=True)
        lines = [line for line in conf.read_text().splitlines() if "server services" not in line]
        at = lines.index("[global]") + 1
        lines[at:at] = [
            f"tls keyfile = {inner}/server.key",
            f"tls certfile = {inner}/server.pem",
            f"tls cafile = {inner}/ca.pem",
            "server services = ldap, cldap, kdc, winbindd, rpc",
            f"pid directory = {inner}/d/run",
            f"log file = {inner}/log.%m",
            f"ncalrpc dir = {inner}/ncalrpc",
            f"winbindd socket directory = {inner}/winbindd",
        ]
        conf.write_text("\n".join(lines) + "\n")
        self._conf = str(conf)

    def _tool(self, *words: str) -> None:
        subprocess.run(["samba-tool", *words, "-s", self._conf], check=True, capture_output=True)

    def _start(self) -> tuple[subprocess.Popen[bytes], dict[int, int]]:
        listening = {port: socket.create_server(("127.0.0.1", 0)) for port in (LDAPS, GLOBAL_CATALOGUE)}
        pairs = [f"{one.fileno()}:{port}" for port, one in listening.items()]
        with (self.folder / "samba.out").open("wb") as output:
            process = subprocess.Popen(
                ["unshare", "--net", "--uts", sys.executable, own_network.__file__, "dc1", *pairs, "--",
                 "samba", "-s", self._conf, "-F", "--no-process-group"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                pass_fds=[one.fileno() for one in listening.values()],
                env=os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"},
            )  # fmt: skip
        ports = {port: one.getsockname()[1] for port, one in listening.items()}
        for one in listening.values():
            one.close()
        return process, ports


@contextlib.contextmanager
def active_directory(*, lockout_threshold: int = 0) -> Iterator[ActiveDirectory]:
    """Run a domain controller. Its sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="ad-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        one = ActiveDirectory(Path(folder), lockout_threshold=lockout_threshold)
        try:
            yield one
        finally:
            one.stop()
