"""A real directory for tests: OpenLDAP's slapd on loopback ports, with TLS from a certificate authority of its own."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.live_portal import free_ports

SLAPD = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SUFFIX = "dc=facility,dc=org"
READER = f"cn=reader,{SUFFIX}"
READER_PASSWORD = "only-for-this-test"
POLICY = f"cn=default,ou=groups,{SUFFIX}"

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
{modules}
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
{limits}
database mdb
suffix "dc=facility,dc=org"
rootdn "cn=root,dc=facility,dc=org"
directory {folder}/data
dbnosync
maxsize 200000000
index objectClass,uid,memberUid,member,uidNumber eq
overlay memberof
{overlays}
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=private,dc=facility,dc=org" by dn.exact="cn=reader,dc=facility,dc=org" read by * none
access to * by * read
"""


@dataclass
class Directory:
    """A slapd that runs, and can be paused, stopped, and started again at the same ports."""

    folder: Path
    port: int
    tls_port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def ca(self) -> str:
        """The file of the authority that signed the server's certificate."""
        return str(self.folder / "ca.pem")

    @property
    def authority(self) -> str:
        """That authority's certificate itself."""
        return Path(self.ca).read_text()

    @property
    def plain(self) -> str:
        """Its address for plain LDAP and StartTLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls(self) -> str:
        """Its address for LDAP over TLS."""
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self.process is None
        # a copy is not what the distribution's AppArmor profile is about
        self.process = subprocess.Popen(
            [self.folder / "slapd", "-f", self.folder / "slapd.conf", "-h", f"{self.plain} {self.tls}", "-d", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            assert self.process.poll() is None, "slapd ended"
            try:
                for port in (self.port, self.tls_port):
                    socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("slapd does not answer")

    def stop(self) -> None:
        """End it, also a paused one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let it hang: its ports take connections, and nobody answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def make_directory(
    folder: Path,
    entries: Iterable[str],
    *,
    host: str = "127.0.0.1",
    expired: bool = False,
    limits: str = "",
    policies: bool = False,
) -> Directory:
    """Make a directory with these entries (LDIF below the suffix) and a certificate for `host`; it is not started.

    Args:
        policies: whether it has password policies: `POLICY` for everybody.
    """
    (folder / "data").mkdir()
    assert SLAPD is not None
    shutil.copy(SLAPD, folder / "slapd")
    make_certificates(folder, host, expired=expired)
    (folder / "slapd.conf").write_text(
        CONFIG.format(
            folder=folder,
            limits=limits,
            modules="moduleload ppolicy" if policies else "",
            overlays=f"overlay ppolicy\nppolicy_default {POLICY}\nppolicy_use_lockout" if policies else "",
        )
    )
    (folder / "entries.ldif").write_text("\n".join([*BASE, *entries]))
    subprocess.run(
        [folder / "slapd", "-T", "add", "-q", "-f", folder / "slapd.conf", "-l", folder / "entries.ldif"],
        check=True,
        capture_output=True,
        text=True,
    )
    port = free_ports(2)
    return Directory(folder, port, port + 1)


BASE = [
    f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Facility\ndc: facility\n",
    *(
        f"dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n"
        for name in ("people", "groups", "private", "elsewhere")
    ),
    f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
    f"userPassword: {READER_PASSWORD}\n",
]


def person(uid: str, number: int, *, gid: int | None = None, under: str = "people", **more: str) -> str:
    """Return the LDIF of a posixAccount."""
    lines = [f"dn: cn={uid} {number},ou={under},{SUFFIX}", "objectClass: inetOrgPerson", "objectClass: posixAccount"]
    lines += [f"cn: {uid} {number}", "sn: x", f"uid: {uid}", f"uidNumber: {number}"]
    lines += [f"gidNumber: {number if gid is None else gid}", f"homeDirectory: /home/{uid}"]
    lines += [f"{name}: {value}" for name, values in more.items() for value in values.split("|")]
    return "\n".join(lines) + "\n"


def dn_of(uid: str, number: int, under: str = "people") -> str:
    """Return the name of the entry `person` makes."""
    return f"cn={uid} {number},ou={under},{SUFFIX}"


def posix_group(name: str, number: int, members: Iterable[str]) -> str:
    """Return the LDIF of a posixGroup."""
    lines = [f"dn: cn={name},ou=groups,{SUFFIX}", "objectClass: posixGroup", f"cn: {name}", f"gidNumber: {number}"]
    return "\n".join([*lines, *(f"memberUid: {member}" for member in members)]) + "\n"


def group_of_names(name: str, members: Iterable[str], number: int | None = None) -> str:
    """Return the LDIF of a groupOfNames, with a number where it is given."""
    lines = [f"dn: cn={name},ou=groups,{SUFFIX}", "objectClass: groupOfNames"]
    if number is not None:
        lines += ["objectClass: extensibleObject", f"gidNumber: {number}"]
    lines += [f"cn: {name}"]
    return "\n".join([*lines, *(f"member: {member}" for member in members)]) + "\n"


def password_policy(**settings: str) -> str:
    """Return the LDIF of the default password policy, such as pwdMaxFailure="5"."""
    lines = [f"dn: {POLICY}", "objectClass: device", "objectClass: pwdPolicy", "cn: default"]
    lines += ["pwdAttribute: userPassword"]
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in settings.items())]) + "\n"


def referral(to: str) -> str:
    """Return the LDIF of an entry that says: look over there."""
    return (
        f"dn: ou=branch,ou=elsewhere,{SUFFIX}\nobjectClass: referral\nobjectClass: extensibleObject\nou: branch\n"
        f"ref: {to}\n"
    )


def make_certificates(folder: Path, host: str, *more: str, expired: bool = False) -> None:
    """Write an authority's certificate, and a server's for `host` and `more` names with its key."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority {now:%H%M%S.%f}")])
    ca = _certificate(issuer, issuer, authority.public_key(), now - day, now + day)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_signs_certificates(), critical=True)
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    end = now - datetime.timedelta(hours=1) if expired else now + day
    one = _certificate(subject, issuer, server.public_key(), now - day, end)
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    names = [name, *map(x509.DNSName, more)]
    one = one.add_extension(x509.SubjectAlternativeName(names), critical=False)
    # Python 3.13 and newer insist
    by_authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    one = one.add_extension(by_authority, critical=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.sign(authority, hashes.SHA256()).public_bytes(pem))
    (folder / "server.pem").write_bytes(one.sign(authority, hashes.SHA256()).public_bytes(pem))
    key = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(key)


def _signs_certificates() -> x509.KeyUsage:
    others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **never)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
