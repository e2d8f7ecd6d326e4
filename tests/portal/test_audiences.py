"""Notices for some people: who sees them, when the sources are asked, and what is shown while they do not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from daas_hub.accounts import Account, Identity
from daas_hub.errors import NoAccount, SourceUnavailable
from daas_hub.notices import Kind, Notice, NoticeBoard
from daas_hub.portal.audiences import ASK_AGAIN_S, RETRY_S, Audiences, classes_among
from daas_hub.proposals import Proposal
from daas_hub.tables import upgrade_tables

#: Somebody whose account has two roles.
BOSS = Account("anna", 25001, 25001, roles=frozenset({"staff", "admin"}))


@dataclass
class Facility:
    """A facility with one account, whose sources count how often they are asked."""

    account: Account | Exception = BOSS
    proposals: tuple[Proposal, ...] | Exception = ()
    asked: list[str] = field(default_factory=list)

    async def identity_of_user(self, user: Any) -> Identity | None:
        return Identity("https://x", user.name)

    async def account_of(self, identity: Identity) -> Account:
        self.asked.append(identity.subject)
        await asyncio.sleep(0)
        if isinstance(self.account, Exception):
            raise self.account
        return self.account

    async def proposals_of(self, account: Account) -> Any:
        if isinstance(self.proposals, Exception):
            raise self.proposals
        return SimpleNamespace(value=self.proposals)


@dataclass
class User:
    """A user of the hub."""

    name: str = "anna"
    admin: bool = False

    async def get_auth_state(self) -> dict[str, Any]:
        return {}


@dataclass
class Scene:
    """A hub with a notice for some people."""

    board: NoticeBoard
    facility: Facility
    now: float = 0.0

    def __post_init__(self) -> None:
        self.audiences = Audiences(self.facility, self.board, clock=lambda: self.now)  # type: ignore[arg-type]

    def announce(self, *audience: str, kind: Kind = Kind.BANNER) -> Notice:
        return self.board.add(Notice(kind, "Beam is off.", 0.0, audience=frozenset(audience)))

    async def shown(self, user: Any = None) -> list[int]:
        """Return what is shown once the sources have answered, as to an open page."""
        user = user or User()
        self.audiences.shown_to(user)
        await asyncio.gather(*self.audiences._asking.values())
        return [one.id for one in self.audiences.shown_to(user)]


@pytest.fixture
def scene() -> Iterator[Scene]:
    db = orm.new_session_factory("sqlite:///:memory:")()
    upgrade_tables(db.get_bind())
    yield Scene(NoticeBoard(db), Facility())
    db.close()


async def test_who_is_not_in_it_does_not_see_it(scene: Scene) -> None:
    mine, _ = scene.announce("role:staff", "group:other"), scene.announce("group:others")
    assert scene.audiences.shown_to(User()) == (), "not before the sources have said so"
    assert await scene.shown() == [mine.id]
    assert scene.audiences.shown_to(None) == ()
    scene.facility.account = Account("ben", 25002, 25002, roles=frozenset({"Staff"}))
    assert await scene.shown(User("ben")) == [], "names are case-sensitive"


async def test_a_group_and_a_beamline(scene: Scene) -> None:
    group, beamline = scene.announce("group:school"), scene.announce("beamline:ID21")
    scene.facility.account = Account("anna", 25001, 25001, memberships=frozenset({"school"}))
    assert await scene.shown() == [group.id]
    scene.facility.proposals = (Proposal("MA-4242", "Glass", beamlines=("ID21", "ID16")),)
    scene.now += ASK_AGAIN_S
    assert await scene.shown() == [beamline.id, group.id]


async def test_a_page_knows_the_roles_also_while_a_notice_is_for_a_beamline(scene: Scene) -> None:
    """A role that has ended ends with the next page, and not when the proposals are asked for again."""
    role, beamline = scene.announce("role:staff"), scene.announce("beamline:ID21")
    scene.facility.proposals = (Proposal("MA-4242", "Glass", beamlines=("ID21",)),)
    user = User()
    scene.audiences.note(user, BOSS)
    assert [one.id for one in scene.audiences.shown_to(user)] == [role.id], "the beamline is asked about"
    assert await scene.shown(user) == [beamline.id, role.id]
    scene.audiences.note(user, Account("anna", 25001, 25001))
    assert await scene.shown(user) == [beamline.id]
    assert scene.facility.asked == ["anna"], "once"


async def test_a_role_that_this_login_does_not_have_is_not_theirs(scene: Scene) -> None:
    """The account is an administrator's, and the login has no second factor; the hub's flag says so at once."""
    notice = scene.announce("role:admin")
    assert await scene.shown() == []
    assert await scene.shown(User(admin=True)) == [notice.id]
    assert await scene.shown(User()) == []
    audience, withheld = frozenset({"role:admin", "role:staff"}), frozenset({"admin"})
    assert await classes_among(scene.facility, BOSS, audience, withheld) == {"role:staff"}  # type: ignore[arg-type]


async def test_the_sources_are_asked_once_in_a_while(scene: Scene) -> None:
    for _ in range(5):
        await scene.shown()
    assert scene.facility.asked == [], "nothing is for some people only"
    first = scene.announce("role:staff")
    for _ in range(5):
        assert await scene.shown() == [first.id]
    assert scene.facility.asked == ["anna"]
    second = scene.announce("group:school")
    assert await scene.shown() == [first.id]
    assert scene.facility.asked == ["anna"] * 2, "nobody knows yet who is in that group"
    scene.board.withdraw(second.id)
    assert await scene.shown() == [first.id]
    assert scene.facility.asked == ["anna"] * 2
    scene.now += ASK_AGAIN_S
    scene.facility.account = Account("anna", 25001, 25001)
    assert await scene.shown() == [], "a role that has ended"
    assert scene.facility.asked == ["anna"] * 3


async def test_an_account_that_a_page_has_asked_for_is_not_asked_for_again(scene: Scene) -> None:
    notice = scene.announce("role:staff")
    scene.audiences.note(User(), Account("anna", 25001, 25001, roles=frozenset({"staff"})))
    assert [one.id for one in scene.audiences.shown_to(User())] == [notice.id], "on this very page"
    assert scene.facility.asked == []


async def test_while_a_source_is_down_everything_stays_as_it_was(scene: Scene) -> None:
    notice = scene.announce("role:staff")
    answer, scene.facility.account = scene.facility.account, SourceUnavailable("It is down.")
    assert await scene.shown() == [], "nothing was known"
    scene.facility.account = answer
    assert await scene.shown() == [], "it is not asked twice a second"
    scene.now += RETRY_S
    assert await scene.shown() == [notice.id]
    scene.facility.account = SourceUnavailable("It is down.")
    scene.now += ASK_AGAIN_S
    assert await scene.shown() == [notice.id]


@pytest.mark.parametrize("problem", [NoAccount("It has ended."), RuntimeError("a bug")])
async def test_without_an_answer_nothing_is_shown(scene: Scene, problem: Exception) -> None:
    scene.announce("role:staff")
    scene.facility.account = problem
    assert await scene.shown() == []
    assert await scene.shown() == []
    assert scene.facility.asked == ["anna"]


async def test_a_service_has_no_roles(scene: Scene) -> None:
    scene.announce("role:staff")
    assert await scene.shown(SimpleNamespace(name="anna")) == []
    assert scene.facility.asked == []
