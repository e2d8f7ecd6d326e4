"""What the directory servers of the tests share: their administrator's connection, over which tests change entries."""

from __future__ import annotations

import contextlib
import ssl
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

#: Seconds until a server that was just set up answers.
START_S = 90.0


def administrator(host: str, port: int, *, ca: str, user: str, password: str, is_running: Callable[[], bool]) -> Any:
    """Return a bound connection over TLS, as soon as there can be one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import ldap3
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=ca)
    server = ldap3.Server(host, port=port, use_ssl=True, tls=tls, get_info=ldap3.NONE, connect_timeout=5)
    until = time.monotonic() + START_S
    while time.monotonic() < until and is_running():
        with contextlib.suppress(OSError, ldap3.core.exceptions.LDAPExceptionError), warnings.catch_warnings():
            # ldap3's own TLS uses what Python deprecates; the portal has its own
            warnings.simplefilter("ignore", DeprecationWarning)
            return ldap3.Connection(server, user=user, password=password, auto_bind=True)
        time.sleep(0.2)
    raise AssertionError("the directory server does not answer")


class AdministeredDirectory:
    """A directory whose entries tests add and change; whoever sets it up sets `connection`."""

    connection: Any = None

    def add(self, dn: str, kinds: Sequence[str], **attributes: Any) -> None:
        """Add an entry."""
        assert self.connection.add(dn, kinds, attributes), (dn, self.connection.result)

    def change(self, dn: str, **attributes: Any) -> None:
        """Replace attributes of an entry."""
        changes = {
            name: [("MODIFY_REPLACE", value if isinstance(value, list) else [value])]
            for name, value in attributes.items()
        }
        assert self.connection.modify(dn, changes), (dn, self.connection.result)

    def read(self, dn: str, *names: str) -> dict[str, list[bytes]]:
        """Return attributes of an entry."""
        self.connection.search(dn, "(objectClass=*)", "BASE", attributes=list(names))
        return dict(self.connection.response[0]["raw_attributes"])

    def disconnect(self) -> None:
        """Close the administrator's connection, before the server ends."""
        if self.connection is not None:
            self.connection.unbind()
            self.connection = None
