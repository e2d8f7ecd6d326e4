"""The account a session runs as: the user's own, or that of the proposal (AL51). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from daas_hub.accounts import Account
from daas_hub.accounts.rules import is_valid_name
from daas_hub.errors import ErrorKind, Refused
from daas_hub.launch.choices import Choice


@dataclass(frozen=True)
class RunAs:
    """Names of proposals' accounts: `names` for individual proposals, `template` ("u{proposal}") for all others."""

    template: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


def account_name_for(choice: Choice, rules: RunAs) -> str | None:
    """Return the name of the account this choice runs as; None for the user's own.

    The choice was made from the user's current proposals, so the user is a member.

    Raises:
        Refused: the proposal's id does not give a valid account name, or several proposals run as several accounts.
    """
    names = {_account_of(proposal.id, rules) for proposal, _ in choice.visits} or {None}
    if len(names) > 1:
        raise Refused(
            "These proposals run under different accounts, and a session has one.",
            remedy="Launch a session for each of them.",
        )
    return names.pop()


def _account_of(proposal: str, rules: RunAs) -> str | None:
    name = rules.names.get(proposal) or rules.template.replace("{proposal}", proposal)
    if not name:
        return None
    if not is_valid_name(name):
        raise Refused(
            f"Proposal {proposal} has no account to run as: {name!r} is not a valid Unix user name.",
            remedy="Please tell the administrators.",
            kind=ErrorKind.NO_PROPOSAL_ACCOUNT,
        )
    return name


def require_named(account: Account, name: str) -> Account:
    """Return the account if it is the requested one.

    Raises:
        Refused: the source returned another one.
    """
    if account.name != name:
        raise Refused(
            f"The facility returned an account other than {name}, which is not used.",
            remedy="Please tell the administrators.",
        )
    return account
