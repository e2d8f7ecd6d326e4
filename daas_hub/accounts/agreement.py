"""Several account sources: all that know a login must agree on its account. None takes precedence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from daas_hub.accounts.model import Account, AccountSource, Identity, NamedAccounts, claims_read_by
from daas_hub.accounts.refusals import StaleLink, no_account
from daas_hub.errors import AccountRefused, ErrorKind, NoAccount

_log = logging.getLogger("jupyterhub.daas")


class AgreeingSources:
    """An account source that asks several sources, by their names in the configuration."""

    def __init__(self, sources: Mapping[str, AccountSource], *, merge_groups: bool = False) -> None:
        self._sources = dict(sources)
        self._merge_groups = merge_groups
        self.claims: frozenset[str] = frozenset[str]().union(*map(claims_read_by, sources.values()))
        self._by_name = {name: one.account_named for name, one in sources.items() if isinstance(one, NamedAccounts)}
        self.account_named = self._account_named if self._by_name else None

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`).

        Raises:
            SourceUnavailable: a source did not answer, so it is unknown whether they agree.
        """
        who = f"{identity.subject!r} of {identity.issuer}"
        return await self._agreed({name: one.account_of(identity) for name, one in self._sources.items()}, who)

    async def _account_named(self, name: str) -> Account:
        return await self._agreed({source: ask(name) for source, ask in self._by_name.items()}, repr(name))

    async def _agreed(self, questions: Mapping[str, Awaitable[Account]], who: str) -> Account:
        answers = await asyncio.gather(*questions.values(), return_exceptions=True)
        known: dict[str, Account] = {}
        refusals: list[BaseException] = []
        for name, answer in zip(questions, answers, strict=True):
            if isinstance(answer, Account):
                known[name] = answer
            elif isinstance(answer, AccountRefused) or not isinstance(answer, NoAccount):
                refusals.append(answer)
        # another source does not make up for one that is down or refuses
        for refusal in refusals:
            raise refusal
        if not known:
            raise next((answer for answer in answers if isinstance(answer, StaleLink)), no_account())
        return joined(known, who, merge_groups=self._merge_groups)


def joined(known: Mapping[str, Account], who: str, *, merge_groups: bool) -> Account:
    """Return the account that several sources describe. Pure.

    Raises:
        AccountRefused: they disagree about name, uid, gid or (unless merged) groups.
    """
    compared: list[tuple[str, Callable[[Account], object]]] = [
        ("name", lambda one: one.name),
        ("uid", lambda one: one.uid),
        ("gid", lambda one: one.gid),
    ]
    if not merge_groups:
        compared.append(("groups", lambda one: sorted({*one.groups, one.gid})))
    for what, of in compared:
        values = {name: of(account) for name, account in known.items()}
        if len({repr(value) for value in values.values()}) > 1:
            listed = "; ".join(f"{name} says {value}" for name, value in values.items())
            _log.error("accounts disagree about the %s of %s: %s", what, who, listed)
            raise AccountRefused(
                f"The facility's account sources disagree about the {what} of your account.",
                remedy="Please contact the user office. The problem has been logged.",
                kind=ErrorKind.DISAGREEMENT,
            )
    first = next(iter(known.values()))
    names = {gid: label for one in reversed(list(known.values())) for gid, label in one.group_names.items()}
    return replace(
        first,
        groups=tuple(dict.fromkeys(gid for one in known.values() for gid in one.groups)),
        group_names=names,
        display_name=next((one.display_name for one in known.values() if one.display_name), ""),
        roles=frozenset[str]().union(*(one.roles for one in known.values())),
        memberships=frozenset[str]().union(*(one.memberships for one in known.values())),
        mail=next((one.mail for one in known.values() if one.mail), ""),
        ends=tuple(end for one in known.values() for end in one.ends),
    )
