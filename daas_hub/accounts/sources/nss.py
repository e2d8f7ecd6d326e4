"""The account source "nss": what the name service of the hub's machine knows (files, sssd, LDAP, NIS)."""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import pwd
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from traitlets import Bool, Float, Unicode

from daas_hub.accounts.model import Account, AccountSource, Identity
from daas_hub.accounts.refusals import TRY_AGAIN, AccountClosed, no_account
from daas_hub.accounts.source_settings import HasIssuers
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.errors import ErrorKind, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")


_DAY_S = 86_400


def _name_of_group(gid: int) -> str:
    return grp.getgrgid(gid).gr_name


def _shadow_line(name: str) -> str:
    """Return the shadow entry of an account; "" if there is none, or only root could read it."""
    # Python has no module for it any more
    asked = subprocess.run(["getent", "shadow", "--", name], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def is_expired(shadow_line: str, now: float) -> bool:
    """Return whether the account of a shadow entry has expired (shadow(5)): from that day on. Pure."""
    fields = shadow_line.split(":")
    day = fields[7] if len(fields) == 9 else ""
    return day.isdecimal() and now // _DAY_S >= int(day)


class NssSource:
    """An account source that asks the name service, in threads: the name service may wait for a server of its own.

    It does not distinguish an unknown name from a server that is down: both are refused as unknown.
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
        shadow_line: Callable[[str], str] = _shadow_line,
        ignores_expiry: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self.issuers = issuers
        self._timeout_s = timeout_s
        self._user, self._groups, self._group_name = user, groups, group_name
        self._shadow_line, self._ignores_expiry, self._now = shadow_line, ignores_expiry, now
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="nss")
        self.claims = claims_of(name)

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        if self.issuers and identity.issuer not in self.issuers:
            raise no_account()
        return await self.account_named(fill(self._name, values_of(identity, self._name)))

    async def account_named(self, name: str) -> Account:
        """Return the account of exactly this name (see `NamedAccounts`)."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, name)
        try:
            return await asyncio.wait_for(work, self._timeout_s)
        except TimeoutError:
            _log.error("name service: no answer within %g s", self._timeout_s)
            raise SourceUnavailable(
                "The facility's accounts are not available at the moment.", remedy=TRY_AGAIN, kind=ErrorKind.TIMEOUT
            ) from None

    def close(self) -> None:
        """Shut down the idle threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, name: str) -> Account:
        try:
            user = self._user(name)
        except (KeyError, ValueError):  # ValueError: NUL, or half a character
            raise no_account() from None
        except OSError as problem:
            _log.error("name service: %s", problem)
            raise SourceUnavailable(
                "The facility's accounts are not available at the moment.",
                remedy=TRY_AGAIN,
                kind=ErrorKind.SERVER_ERROR,
            ) from None
        if user.pw_name != name:
            # sssd, winbind: "Anna" finds anna, and "25001" may find the account with that uid
            _log.warning("name service: looked up %r and found %r: refused", name, user.pw_name)
            raise no_account()
        if not self._ignores_expiry and is_expired(self._shadow_line(name), self._now()):
            _log.warning("name service: the account %s has expired", name)
            raise AccountClosed(
                "Your account has expired on this facility's machines.",
                remedy="Signing in again does not help. Please contact the user office.",
            )
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


class NssAccounts(HasIssuers):
    """Accounts from the name service of the hub's machine (`Facility.accounts = "nss"`)."""

    name = Unicode(
        "{subject}",
        config=True,
        help="""
        Template of the account name of a login. Fields: {subject} {issuer} {claim.NAME}. Use only claims that people
        cannot change themselves at the provider. Example: "{claim.preferred_username}".
        """,
    )
    timeout_s = Float(5.0, min=0.1, config=True, help="Timeout in seconds of a lookup.")
    ignore_expiry = Bool(
        False,
        config=True,
        help="""
        Whether an account may be used after the day of expiry in its shadow entry. Only a hub that is root can read it;
        sssd and winbind do not provide it, so let your login provider or the directory close such accounts.
        Default: False.
        """,
    )

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if not self.require_fields("name"):
            raise self.wrong("name", "has no field, so everybody would get the same account", "Add {subject}.")
        issuers = self.require_issuers(self.issuers)
        return NssSource(self.name, issuers, self.timeout_s, ignores_expiry=self.ignore_expiry)
