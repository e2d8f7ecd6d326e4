"""Connecting a login with an account (AL60): who waits how long, and what a yes is worth. The pages: tests/hub."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, AccountRules, Identity
from daas_hub.accounts.agreement import AgreeingSources
from daas_hub.accounts.passwords import PasswordSource
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.accounts.sources.linked import LinkedSource
from daas_hub.authenticators.account_linking.linking import MAX_WAITING, Linking, Pending, Waiting
from daas_hub.authenticators.errors import WrongAccount, WrongPassword
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.errors import AccountRefused, ConfigurationError, NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility
from tests.accounts.directory import (
    ACCOUNT,
    ANNA,
    ISSUER,
    PASSWORDS,
    Directory,
)
from tests.authenticators.facility import ONE, FakeFacility

WAY: Any = SimpleNamespace(name="egi", title="EGI", issuer=ISSUER)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """What a link needs of a facility."""

    def __init__(self, folder: Path, directory: Directory) -> None:
        self.account_rules = AccountRules(1000, 60_000)
        self.store = LinkStore(folder / "links.sqlite")
        self.links = LinkedSource(self.store)
        self.links.use_sources(directory)
        self.account_sources = {"ldap": directory, "links": self.links}

    async def account_of(self, identity: Identity) -> Account:
        both = AgreeingSources(self.account_sources)
        return self.account_rules.require_allowed(await both.account_of(identity))

    def issuers_by_source(self) -> dict[str, frozenset[str] | None]:
        return {name: getattr(one, "issuers", None) for name, one in self.account_sources.items()}


async def check(name: str, password: str) -> str:
    return name.lower() if password == "right" else ""


@pytest.fixture
def directory() -> Directory:
    return Directory(ACCOUNT, Account("ben", 25002, 25002), Account("daemon", 1, 1))


@pytest.fixture
def site(tmp_path: Path, directory: Directory) -> Site:
    return Site(tmp_path, directory)


@pytest.fixture
def linking(site: Site) -> Linking:
    passwords = PasswordMethod(PasswordSource(PASSWORDS, "a password", 12.0, check))
    return Linking(passwords, lambda: site)  # type: ignore[arg-type, return-value]


def pending(identity: Identity = ANNA) -> Pending:
    return Pending(Login(identity), WAY, "/hub/home", 10_000.0)


def shown_of(one: Pending) -> str:
    assert one.proved is not None
    return one.proved.shown


def test_a_login_waits_for_its_time_and_no_longer() -> None:
    clock = Clock()
    waiting = Waiting(clock)
    number = waiting.add(Login(ANNA), WAY, "")
    # as docs/explanations/security.md says: ten minutes
    clock.now += 599
    assert waiting.get(number) is not None
    clock.now += 1
    assert waiting.get(number) is None
    assert len(waiting) == 0


def test_only_what_is_over_is_forgotten_however_late_somebody_looks() -> None:
    clock = Clock()
    waiting = Waiting(clock)
    old = waiting.add(Login(ANNA), WAY, "")
    clock.now += 400
    new = waiting.add(Login(Identity(ISSUER, "later")), WAY, "")
    clock.now += 400
    assert waiting.get(new) is not None
    assert waiting.get(old) is None
    clock.now += 86_400
    assert waiting.get(new) is None
    assert len(waiting) == 0


def test_the_oldest_make_room() -> None:
    waiting = Waiting(Clock())
    numbers = [waiting.add(Login(Identity(ISSUER, f"s{number}")), WAY, "") for number in range(MAX_WAITING + 10)]
    found = [waiting.get(number) is not None for number in numbers]
    assert found == [False] * 10 + [True] * MAX_WAITING


async def test_numbers_cannot_be_guessed_and_are_not_in_a_log(linking: Linking) -> None:
    """256 bits in the browser's cookie, 128 on the page, which is worth nothing without the cookie."""
    assert len(Waiting(Clock()).add(Login(ANNA), WAY, "")) >= 43
    one = pending()
    await linking.prove_account(one, "anna", "right", "")
    assert len(shown_of(one)) >= 22
    assert shown_of(one) not in repr(one)


def test_one_person_takes_one_place_and_all_together_are_bounded() -> None:
    waiting = Waiting(Clock())
    first = waiting.add(Login(ANNA), WAY, "")
    second = waiting.add(Login(ANNA), WAY, "")
    assert (waiting.get(first), len(waiting)) == (None, 1)
    assert waiting.get(second) is not None
    for number in range(MAX_WAITING + 10):
        waiting.add(Login(Identity(ISSUER, f"s{number}")), WAY, "")
    assert len(waiting) == MAX_WAITING


@pytest.mark.parametrize("number", ["", "0", "x" * 43, "é"])
def test_a_number_that_is_made_up_finds_nothing(number: str) -> None:
    waiting = Waiting(Clock())
    waiting.add(Login(ANNA), WAY, "")
    assert waiting.get(number) is None


async def test_a_password_and_a_yes_make_a_link(linking: Linking, site: Site) -> None:
    one = pending()
    await linking.prove_account(one, "ANNA", "right", "192.0.2.1")
    assert one.proved is not None
    assert one.proved.account == ACCOUNT
    link = await linking.connect(one, shown_of(one))
    assert (link.issuer, link.subject, link.account, link.uid) == (ISSUER, ANNA.subject, "anna", 25001)
    assert await site.account_of(ANNA) == ACCOUNT


async def test_a_wrong_password_takes_back_what_was_proved(linking: Linking, site: Site) -> None:
    one = pending()
    await linking.prove_account(one, "anna", "right", "")
    shown = shown_of(one)
    with pytest.raises(WrongPassword):
        await linking.prove_account(one, "ben", "wrong", "")
    with pytest.raises(Refused, match="out of date"):
        await linking.connect(one, shown)
    assert await site.store.all_links() == ()


async def test_a_yes_counts_for_the_page_that_was_shown(linking: Linking, site: Site) -> None:
    """Two tabs: a yes in the older one is not for the account that the newer one shows."""
    one = pending()
    for shown in ("", "x"):
        with pytest.raises(Refused):
            await linking.connect(one, shown)
    await linking.prove_account(one, "anna", "right", "")
    older = shown_of(one)
    await linking.prove_account(one, "ben", "right", "")
    for shown in (older, "", "é"):
        with pytest.raises(Refused, match="out of date"):
            await linking.connect(one, shown)
    assert await site.store.all_links() == ()


async def test_an_account_that_may_not_run_sessions_is_none(linking: Linking) -> None:
    for name in ("daemon", "nobody-here"):
        one = pending()
        with pytest.raises(WrongAccount):
            await linking.prove_account(one, name, "right", "")
        assert one.proved is None


async def test_what_changed_since_the_page_was_shown_counts(linking: Linking, directory: Directory) -> None:
    one = pending()
    await linking.prove_account(one, "anna", "right", "")
    for uid in (25777, 25000):
        directory.accounts["anna"] = Account("anna", uid, uid)
        with pytest.raises(WrongAccount, match="changed"):
            await linking.connect(one, shown_of(one))
    directory.problem = SourceUnavailable("down")
    with pytest.raises(SourceUnavailable):
        await linking.connect(one, shown_of(one))
    directory.problem = AccountRefused("locked")
    with pytest.raises(WrongAccount):
        await linking.connect(one, shown_of(one))


async def test_a_login_that_came_to_an_account_meanwhile_is_not_connected(linking: Linking, site: Site) -> None:
    one = pending()
    await linking.prove_account(one, "ben", "right", "")
    await site.store.connect(ANNA, Identity(PASSWORDS, "anna"), "anna", 25001)
    with pytest.raises(WrongAccount, match="given the account anna"):
        await linking.connect(one, shown_of(one))
    assert await site.account_of(ANNA) == ACCOUNT


async def test_a_link_that_opens_nothing_is_not_left(linking: Linking, site: Site, directory: Directory) -> None:
    """The facility says something else of the login than of the account: nobody gets stuck with what cannot be used."""

    class Claims:
        async def account_of(self, identity: Identity) -> Account:
            if identity.issuer == ISSUER and await site.store.all_links():
                return Account("other", 25003, 25003)
            raise NoAccount("none")

    site.account_sources["claims"] = Claims()  # type: ignore[assignment]
    one = pending()
    await linking.prove_account(one, "anna", "right", "")
    with pytest.raises(WrongAccount):
        await linking.connect(one, shown_of(one))
    assert await site.store.all_links() == ()


def test_who_signed_out_at_the_provider_meanwhile_has_nothing_to_connect() -> None:
    waiting = Waiting(Clock())
    mine = waiting.add(Login(ANNA, {"sub": "a"}), WAY, "")
    other = waiting.add(Login(Identity(ISSUER, "b"), {"sub": "b"}), WAY, "")
    waiting.drop_if(lambda one: one.login.kept["sub"] == "a")
    assert waiting.get(mine) is None
    assert waiting.get(other) is not None


def test_some_source_must_be_asked_about_the_passwords(linking: Linking, site: Site, directory: Directory) -> None:
    """Else a right password would be nobody's account; and names of elsewhere are not taken for the directory's."""
    linking.require_source(site)  # type: ignore[arg-type]
    directory.issuers = frozenset({ISSUER})
    with pytest.raises(ConfigurationError, match="not among the issuers of any source") as error:
        linking.require_source(site)  # type: ignore[arg-type]
    assert error.value.setting == "PasswordLogin.issuer"


async def test_a_name_of_a_user_office_is_none_of_the_directory(site: Site) -> None:
    """Somebody registers there as ben: that opens no account of the directory."""
    office = PasswordMethod(PasswordSource("calipsoplus:office", "the user office", 12.0, check))
    one = pending()
    with pytest.raises(WrongAccount):
        await Linking(office, lambda: site).prove_account(one, "ben", "right", "")  # type: ignore[arg-type, return-value]
    assert one.proved is None


def test_who_may_begin(linking: Linking) -> None:
    for issuer in (ISSUER, "", "~last", PASSWORDS.upper(), f"{PASSWORDS}/"):
        assert linking.may_begin(NoAccount("none"), SimpleNamespace(issuer=issuer))  # type: ignore[arg-type]
    assert not linking.may_begin(AccountRefused("closed"), WAY), "an account that is closed is not gone round"
    assert not linking.may_begin(NoAccount("none"), linking.passwords)  # type: ignore[arg-type]


# -- configuration ---------------------------------------------------------------------------------------------------

LDAP = Config({"LdapAccounts": {"servers": ["ldaps://localhost"], "person_base": "dc=x", "issuers": [ISSUER]}})


@pytest.mark.parametrize("accounts", ["ldap", ["ldap"], None])
def test_linking_without_its_source_is_reported(facility: FakeFacility, accounts: Any) -> None:
    config = Config({"UmbrellaAuthenticator": {**ONE, "portal": True, "linking": "ldap"}, "Facility": {}}, **LDAP)
    if accounts:
        config.Facility.accounts = accounts
    with pytest.raises(ConfigurationError, match='needs "links"') as error:
        UmbrellaAuthenticator(config=config)
    assert error.value.setting == "UmbrellaAuthenticator.linking"


def test_a_source_of_passwords_that_is_invalid_is_reported(facility: FakeFacility) -> None:
    config = Config(
        {"UmbrellaAuthenticator": {**ONE, "portal": True, "linking": "nss"}, "Facility": {"accounts": ["nss", "links"]}}
    )
    with pytest.raises(ConfigurationError, match="not a password source") as error:
        UmbrellaAuthenticator(config=config)
    assert error.value.setting == "UmbrellaAuthenticator.linking"


@pytest.mark.parametrize("passwords", ["", "ldap"])
def test_one_count_of_guesses_and_no_form_for_passwords(facility: FakeFacility, passwords: str) -> None:
    config = Config({"UmbrellaAuthenticator": {**ONE, "portal": True, "linking": "ldap", "passwords": passwords},
                     "Facility": {"accounts": ["ldap", "links"]}}, **LDAP)  # fmt: skip
    authenticator = UmbrellaAuthenticator(config=config)
    assert ("password" in authenticator.methods) is bool(passwords)
    if passwords:
        assert authenticator._linking is not None
        assert authenticator._linking.passwords is authenticator.methods["password"]


@pytest.mark.parametrize(
    ("facility_config", "links", "setting", "words"),
    [
        ({"accounts": "links"}, {}, "Facility.accounts", "cannot be the only source"),
        ({"accounts": ["links", "nss"]}, {"file": "links.sqlite"}, "LinkedAccounts.file", "absolute"),
    ],
)
def test_a_configuration_that_cannot_work_is_reported(
    facility_config: dict[str, Any], links: dict[str, Any], setting: str, words: str
) -> None:
    config = Config(
        {
            "Facility": {**facility_config, "proposals": "groups"},
            "LinkedAccounts": links,
            "NssAccounts": {"issuers": [ISSUER]},
            "ClaimsAccounts": {"issuers": [ISSUER]},
            "GroupProposals": {"pattern": "(?P<proposal>ma[0-9]+)"},
        }
    )
    with pytest.raises(ConfigurationError, match=words) as error:
        Facility(config=config)
    assert error.value.setting == setting
