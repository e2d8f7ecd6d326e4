"""Who may sign in, by the lists of JupyterHub's settings: pure, as a table, and at a refresh."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.elevation import ElevationRules
from daas_hub.accounts.roles import Roles
from daas_hub.authenticators.errors import Blocked, NotAllowed
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.people import Identities
from daas_hub.authenticators.user_lists import Names, Person, UserLists, read_names
from daas_hub.errors import Refused
from tests.authenticators.facility import ANNA, ISSUER, ONE, FakeFacility, answers, authenticator, hub_user

PERSON = Person(ANNA, ANNA.hub_name, "anna", groups=frozenset({"ma-4242"}))
NOBODY = {"allow_all": False}
SUBJECT = f"{ISSUER} anna"


def test_names_are_accounts_or_issuer_and_subject() -> None:
    entries = ["anna", f"{ISSUER}  a subject with blanks", (ISSUER, "ben")]
    assert read_names("s", entries, [ISSUER]) == Names(
        frozenset({"anna"}), frozenset({(ISSUER, "a subject with blanks"), (ISSUER, "ben")})
    )


def user_lists(**lists: Any) -> UserLists:
    read = {"allowed", "blocked", "admins"}
    return UserLists(**{
        name: read_names(name, value, [ISSUER]) if name in read else value for name, value in lists.items()
    })  # fmt: skip


@pytest.mark.parametrize(
    ("lists", "refused"),
    [
        pytest.param({}, None, id="everybody"),
        pytest.param(NOBODY, NotAllowed, id="nobody"),
        pytest.param(NOBODY | {"allowed": ["anna"]}, None, id="by account"),
        pytest.param(NOBODY | {"allowed": [SUBJECT]}, None, id="by issuer and subject"),
        pytest.param(NOBODY | {"allowed": [(ISSUER, "anna")]}, None, id="by the pair"),
        pytest.param(NOBODY | {"allowed": [ANNA.hub_name]}, NotAllowed, id="not by the opaque name"),
        pytest.param(NOBODY | {"allowed": ["ben", f"{ISSUER} ben", "Anna"]}, NotAllowed, id="somebody else"),
        pytest.param(NOBODY | {"allowed_groups": frozenset({"ma-4242"})}, None, id="by group"),
        pytest.param(NOBODY | {"allowed_groups": frozenset({"MA-4242"})}, NotAllowed, id="another group"),
        pytest.param(NOBODY | {"admins": ["anna"]}, None, id="an administrator"),
        pytest.param(NOBODY | {"admin_groups": frozenset({"ma-4242"})}, None, id="an administrator by group"),
        pytest.param({"blocked": ["anna"]}, Blocked, id="blocked"),
        pytest.param({"blocked": [SUBJECT], "allowed": ["anna"]}, Blocked, id="blocked wins over allowed"),
        pytest.param({"blocked": ["anna"], "admins": ["anna"]}, Blocked, id="blocked wins over administrator"),
        pytest.param({"blocked": ["ben"]}, None, id="somebody else is blocked"),
    ],
)
def test_who_may_sign_in(lists: dict[str, Any], refused: type[Refused] | None) -> None:
    rules = user_lists(**lists, refusal="Please ask the user office.")
    if refused is None:
        rules.require_allowed(PERSON)
    else:
        with pytest.raises(refused, match="user office") as error:
            rules.require_allowed(PERSON)
        assert type(error.value) is refused


def test_a_user_of_the_hub_may_where_existing_users_may_unless_blocked() -> None:
    user_lists(**NOBODY).require_allowed(PERSON, exists=True)
    with pytest.raises(Blocked):
        user_lists(blocked=["anna"]).require_allowed(PERSON, exists=True)


@pytest.mark.parametrize(
    ("lists", "roles"),
    [
        ({}, {"staff"}),
        ({"admins": ["anna"]}, {"staff", "admin"}),
        ({"admins": [SUBJECT]}, {"staff", "admin"}),
        ({"admins": ["ben"]}, {"staff"}),
        ({"admin_groups": frozenset({"ma-4242"})}, {"staff", "admin"}),
        ({"admin_groups": frozenset({"ls-1007"})}, {"staff"}),
    ],
)
def test_who_is_an_administrator(lists: dict[str, Any], roles: set[str]) -> None:
    person = Person(ANNA, ANNA.hub_name, "anna", groups=frozenset({"ma-4242"}), roles=frozenset({"staff"}))
    assert user_lists(**lists).roles_of(person) == roles


@pytest.mark.parametrize(
    ("settings", "admits"),
    [
        ({}, True),
        ({"allowed_users": {"ben"}}, False),
        ({"allowed_users": {"ben"}, "allow_all": True}, True),
        ({"allowed_groups": {"ls-1007"}}, False),
        ({"allow_existing_users": True}, False),
        ({"allow_all": False}, False),
        ({"admin_users": {"ben"}}, True),
    ],
    ids=str,
)
def test_a_list_replaces_everybody_with_an_account(
    facility: FakeFacility, settings: dict[str, Any], admits: bool
) -> None:
    door = authenticator(facility, **ONE, **settings)
    assert door.user_lists.allow_all is admits
    # the hub would make a user of each name
    assert (door.allowed_users, door.admin_users, door.blocked_users) == (set(), set(), set())
    assert door.any_allow_config is (admits or bool(settings.keys() - {"allow_all"}))


@pytest.mark.parametrize(
    ("settings", "holds"),
    [
        ({"allowed_users": {"anna"}}, True),
        ({"allowed_users": {"ben"}}, False),
        ({"blocked_users": {"anna"}}, False),
        ({"allowed_users": {"anna"}, "blocked_users": {SUBJECT}}, False),
    ],
    ids=str,
)
async def test_a_refresh_reads_the_lists(facility: FakeFacility, db: Any, settings: Any, holds: bool) -> None:
    """Somebody who was removed from a list loses the login; somebody who is blocked, every permission as well."""
    door = authenticator(facility, **ONE, **settings)
    login = Login(ANNA)
    answers(door, login)
    user = await hub_user(db, ANNA.hub_name, login.as_state("openid"), admin=True)
    refreshed = await door.refresh_user(user)
    assert bool(refreshed) is holds
    if "blocked_users" in settings:
        assert (user.admin, user.orm_user.roles) == (False, [])
        assert "identity" not in (await user.get_auth_state() or {})


async def test_existing_users_are_those_of_the_hub(facility: FakeFacility, db: Any) -> None:
    """By their own name, or by the account's, which an administrator adds on the hub's page."""
    door = authenticator(facility, **ONE, allow_existing_users=True)
    with pytest.raises(NotAllowed):
        await door._admitted(ANNA)
    for name in (ANNA.hub_name, "anna"):
        user = await hub_user(db, name, None)
        door.add_user(user)
        assert (await door._admitted(ANNA)).name == "anna"
        door.delete_user(user)
        with pytest.raises(NotAllowed):
            await door._admitted(ANNA)


async def test_what_a_hook_added_survives_a_refresh(facility: FakeFacility, db: Any) -> None:
    """`post_auth_hook` runs at a login only."""
    door = authenticator(facility, **ONE)
    login = Login(ANNA, {"access_token": "new"})
    answers(door, login)
    user = await hub_user(db, ANNA.hub_name, login.as_state("openid") | {"access_token": "old", "from_hook": "kept"})
    assert await door.refresh_user(user)
    state = await user.get_auth_state()
    assert state is not None
    assert (state["access_token"], state["from_hook"]) == ("new", "kept")


@pytest.mark.parametrize("manages", [True, False])
async def test_the_groups_of_the_account_are_the_hubs(facility: FakeFacility, db: Any, manages: bool) -> None:
    facility.account = Account("anna", 25001, 25001, memberships=frozenset({"ma-4242", "it"}))
    door = authenticator(facility, **ONE, manage_groups=manages)
    login = Login(ANNA)
    answers(door, login)
    model = await door.refresh_user(await hub_user(db, ANNA.hub_name, login.as_state("openid")))
    assert isinstance(model, dict)
    assert model.get("groups") == (["it", "ma-4242"] if manages else None)


# -- a login without an account ------------------------------------------------------------------------------------


async def person_of(claims: dict[str, Any], username_claim: str = "preferred_username") -> Person:
    return await Identities(username_claim, Roles(), ElevationRules()).person_of(
        Identity(ISSUER, "4711", "Anna", claims=claims)
    )


async def test_a_login_alone_has_a_name_and_groups() -> None:
    person = await person_of({"preferred_username": "Anna", "groups": ["it", 7]})
    assert (person.hub_name, person.name, person.groups) == ("anna", "anna", {"it"})
    opaque = await person_of({"preferred_username": "Anna"}, username_claim="")
    assert opaque.hub_name == opaque.name == Identity(ISSUER, "4711").hub_name


@pytest.mark.parametrize(
    "claims", [{}, {"preferred_username": ""}, {"preferred_username": " "}, {"preferred_username": ["a"]}]
)
async def test_a_login_without_its_name_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="did not send the claim preferred_username"):
        await person_of(claims)


@pytest.mark.parametrize("listed", ["alindqvist", "ALindqvist", "ALINDQVIST"])
def test_a_blocked_name_is_blocked_in_any_capitals(listed: str) -> None:
    """Directories fold case: a name written in other capitals must not let a blocked person in."""
    person = Person(Identity("https://login.example.org", "4711"), "u1", "ALindqvist")
    with pytest.raises(Blocked):
        UserLists(blocked=Names(frozenset({listed}))).require_not_blocked(person)
    assert (person in UserLists(admins=Names(frozenset({listed}))).admins) is (listed == "ALindqvist")
