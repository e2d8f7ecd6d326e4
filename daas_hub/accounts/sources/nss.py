"""Accounts of the machine the hub runs on: whatever its name service knows (files, sssd, LDAP, NIS)."""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import pwd
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from traitlets import Float, List, Unicode

from daas_hub.accounts.model import Account, AccountSource, Identity
from daas_hub.accounts.refusals import LATER, unknown
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.errors import ErrorKind, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")


def _name_of_group(gid: int) -> str:
    return grp.getgrgid(gid).gr_name


class MachineAccounts:
    """An account source that asks the name service, in threads: it may ask a server itself, and wait for it.

    It cannot tell "nobody" from "the server behind me is down": both are refused as unknown.
    """

    def __init__(
        self,
        name: str,
        issuers: frozenset[str],
        timeout_s: float = 5.0,
        *,
        user: Callable[[str], pwd.struct_passwd] = pwd.getpwnam,
        groups: Callable[[str, int], list[int]] = os.getgrouplist,
        group_name: Callable[[int], str] = _name_of_group,
    ) -> None:
        self._name = name
        self.issuers = issuers
        self._timeout_s = timeout_s
        self._user, self._groups, self._group_name = user, groups, group_name
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="nss")
        self.claims = claims_of(name)

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        if self.issuers and identity.issuer not in self.issuers:
            raise unknown()
        return await self.account_named(fill(self._name, values_of(identity, self._name)))

    async def account_named(self, name: str) -> Account:
        """Return the account of exactly this name (see `NamedAccounts`)."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, name)
        try:
            return await asyncio.wait_for(work, self._timeout_s)
        except TimeoutError:
            _log.error("name service: no answer within %g s", self._timeout_s)
            raise SourceUnavailable(
                "The facility's accounts cannot be looked up at the moment.", remedy=LATER, kind=ErrorKind.TIMEOUT
            ) from None

    def close(self) -> None:
        """End the threads that do nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, name: str) -> Account:
        try:
            user = self._user(name)
        except (KeyError, ValueError):  # ValueError: NUL, or half a character
            raise unknown() from None
        except OSError as problem:
            _log.error("name service: %s", problem)
            raise SourceUnavailable(
                "The facility's accounts cannot be looked up.", remedy=LATER, kind=ErrorKind.SERVER_ERROR
            ) from None
        if user.pw_name != name:
            # sssd, winbind: "Anna" finds anna, "25001" may find whose number it is
            _log.warning("name service: %r was found as %r, which is not the same", name, user.pw_name)
            raise unknown()
        numbers = [gid for gid in dict.fromkeys(self._groups(name, user.pw_gid)) if gid != user.pw_gid]
        names = {gid: label for gid in (user.pw_gid, *numbers) if (label := self._label(gid))}
        return Account(
            name=name,
            uid=user.pw_uid,
            gid=user.pw_gid,
            groups=tuple(sorted(numbers)),
            group_names={gid: names[gid] for gid in numbers if gid in names},
            display_name=user.pw_gecos.partition(",")[0],
            memberships=frozenset(names.values()),
        )

    def _label(self, gid: int) -> str:
        try:
            return self._group_name(gid)
        except KeyError:
            return ""


class NssAccounts(SourceSettings):
    """Accounts the hub's machine knows itself (`Facility.accounts = "nss"`)."""

    name = Unicode(
        "{subject}",
        config=True,
        help="""
        Name of the account of a login. Fields: {subject} {issuer} {claim.NAME}.
        Example: "{claim.preferred_username}", if people cannot change that name at the provider.
        """,
    )
    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers whose logins are looked up. Others have no account here. No default.
        Example: ["https://keycloak.facility.org/realms/users"].
        """,
    )
    timeout_s = Float(5.0, min=0.1, config=True, help="Seconds a look-up may take.")

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if not self.require_fields("name"):
            raise self.wrong("name", "has no field: everybody would be the same", "Add {subject}.")
        return MachineAccounts(self.name, self.require_issuers(self.issuers), self.timeout_s)
