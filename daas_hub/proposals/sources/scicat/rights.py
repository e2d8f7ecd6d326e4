"""What the portal's login may see in SciCat, for the doctor.

SciCat has no role that sees all proposals and changes none: a login sees all if one of its groups is in SciCat's
PROPOSAL_GROUPS or ADMIN_GROUPS, and may then also write. Any other sees the proposals of its own groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daas_hub.findings import Finding, ok, problem, warning
from daas_hub.proposals.sources.scicat.login import PortalLogin, header_of
from daas_hub.proposals.sources.scicat.queries import query
from daas_hub.services.http import ServiceClient

_REMEDY = (
    "In SciCat, give the functional account a role that is listed in PROPOSAL_GROUPS (functionalAccounts.json); see "
    "docs/how-to/proposals-from-scicat.md."
)


async def lines_of_rights(
    name: str, client: ServiceClient, address: Callable[..., str], login: PortalLogin
) -> list[Finding]:
    """Return a finding about what the login sees.

    Raises:
        SourceUnavailable: SciCat does not know the login, or did not answer properly.
    """

    async def ask(token: str) -> tuple[list[str], list[Any], list[Any]]:
        headers = header_of(token)
        # whose the token is, before what it sees: SciCat answers null to one that it does not know
        await login.owner_of(client, token)
        whoami = client.require(
            await client.get(address("auth", "whoami"), "the groups of the portal's login", headers=headers), dict
        )
        groups = [one for one in whoami.get("currentGroups") or [] if isinstance(one, str)]
        others = {"$and": [{field: {"$nin": groups}} for field in ("ownerGroup", "accessGroups")]}
        rows = []
        for where in ({}, others | {"isPublished": {"$ne": True}}):
            parameters = {"filters": query({"where": where, "limits": {"limit": 1, "skip": 0}})}
            reply = await client.get(address("proposals"), "one proposal", params=parameters, headers=headers)
            rows.append(client.require(reply, list))
        return groups, rows[0], rows[1]

    groups, any_proposal, another = await login.believed(client, ask, lambda _: True)
    key, check = f"proposals.{name}.rights", f"{name}: which proposals the portal's login sees"
    member = f"its groups in SciCat: {', '.join(groups[:10]) or 'none'}"
    if another:
        return [ok(key, check, f"also those of other groups, and it may change them; {member}")]
    if any_proposal:
        return [warning(key, check, f"none but those of its own groups or published ones; {member}", _REMEDY)]
    return [problem(key, check, f"none at all; {member}", _REMEDY)]
