"""Under which account a session runs: the person's own, or that of the proposal (AL51). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, Refused
from daas_hub.launch.choices import Choice

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class RunAs:
    """How a proposal's account is called: `names` for single proposals, `template` ("u{proposal}") for all others."""

    template: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


def account_name_for(choice: Choice, rules: RunAs) -> str | None:
    """Return the name of the account this choice runs under; None: the person's own.

    The choice was made out of the person's own proposals, asked for now: who is no member has no choice to show.

    Raises:
        Refused: the proposal's id gives no name of an account.
    """
    if choice.proposal is None:
        return None
    name = rules.names.get(choice.proposal.id) or rules.template.replace("{proposal}", choice.proposal.id)
    if not name:
        return None
    if not _NAME.fullmatch(name):
        raise Refused(
            f"Proposal {choice.proposal.id} has no account to run under: {name!r} is not a plain Unix name.",
            remedy="Please tell the administrators.",
            kind=ErrorKind.NO_PROPOSAL_ACCOUNT,
        )
    return name


def require_named(account: Account, name: str) -> Account:
    """Return the account back if it is the one that was asked for.

    Raises:
        Refused: a source gave another one.
    """
    if account.name != name:
        raise Refused(
            f"The facility gave another account than {name}, and it is not used.",
            remedy="Please tell the administrators.",
        )
    return account
