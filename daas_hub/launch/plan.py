"""The plan: everything a spawner needs, decided beforehand. The one place where the three truths are joined. Pure.

The facility's truth (account, proposal), the administrator's (catalogue, layout) and the user's (request) come in
separately, and leave as one frozen record that names nothing a backend would have to look up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Size
from daas_hub.launch.choices import Choice
from daas_hub.launch.mounts import Mount, MountPolicy, mounts_of


@dataclass(frozen=True)
class Plan:
    """One session, decided. `desktops` are the desktop applications its menu offers, the own one first."""

    account: Account
    application: Application
    size: Size
    mounts: tuple[Mount, ...]
    proposal_id: str | None = None
    proposal_title: str = ""
    visit_number: int | None = None
    desktops: tuple[Application, ...] = ()
    environment: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def home(self) -> str:
        """Where the home stands inside the session, whatever its place on the storage is."""
        return f"/home/{self.account.name}"

    def opened(self, mounts: Iterable[Mount]) -> Plan:
        """Return the plan with the directories that were opened: patterns found, missing ones left out."""
        return replace(self, mounts=tuple(mounts))

    @property
    def title(self) -> str:
        """What the session is called: application, proposal, visit."""
        if self.proposal_id is None:
            return self.application.title
        return f"{self.application.title}, {self.proposal_id} visit {self.visit_number}"


def make_plan(choice: Choice, account: Account, policy: MountPolicy, desktops: tuple[Application, ...]) -> Plan:
    """Join an allowed choice with an account and the facility's layout.

    Raises:
        StorageProblem: the paths that follow from it are not allowed.
    """
    # what is in another image is not in this session
    here = [one for one in desktops if one.image == choice.application.image]
    menu = sorted(here, key=lambda application: application.name != choice.application.name)
    return Plan(
        account=account,
        application=choice.application,
        size=choice.size,
        mounts=mounts_of(choice, account, policy),
        proposal_id=choice.proposal.id if choice.proposal else None,
        proposal_title=choice.proposal.title if choice.proposal else "",
        visit_number=choice.visit.number if choice.visit else None,
        desktops=tuple(menu),
        environment=dict(choice.application.environment),
    )
