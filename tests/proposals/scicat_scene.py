"""The portal as a client of SciCat's stand-in: its account, its settings, and one question. What its tests share."""

from __future__ import annotations

from collections.abc import Callable

from traitlets.config import Config

from daas_hub.accounts import Account
from daas_hub.proposals import Proposal
from daas_hub.proposals.sources.scicat import SciCatProposals
from tests.stand_ins.running import running
from tests.stand_ins.scicat import SciCat


def account_in(*groups: str, first_gid: int = 26001) -> Account:
    """Return Anna's account in groups of these names."""
    numbers = {first_gid + index: name for index, name in enumerate(groups)}
    return Account("anna", 25001, 25001, tuple(numbers), numbers)


ANNA = account_in("p12345", "users")


def settings(secret_file: Callable[[str], str]) -> Config:
    """Return the settings of the portal's functional account."""
    password = secret_file("portal-password")
    return Config({"SciCatProposals": {"user": "reader", "password_file": password}})


async def asked(scicat: SciCat, config: Config, account: Account = ANNA) -> tuple[Proposal, ...]:
    """Return an account's proposals."""
    async with running(scicat.app()) as url:
        return await SciCatProposals(config=config, url=f"{url}/api/v3").proposals_of(account)
