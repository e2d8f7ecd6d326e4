"""What a directory says of an account: disabled, expired, locked. A table of every attribute, and a real slapd."""

from __future__ import annotations

import datetime
import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.accounts.refusals import AccountClosed, AccountLocked
from daas_hub.accounts.sources.ldap.account_state import CHECKS, State, closed_by, generalized_time, refusal_of
from daas_hub.accounts.sources.ldap.entries import Entry
from daas_hub.accounts.sources.ldap.settings import LdapAccounts
from daas_hub.accounts.sources.ldap.source import LdapSource
from daas_hub.errors import AccountRefused, ConfigurationError, NoAccount
from tests.not_tried import missing
from tests.stand_ins.directory import POLICY, SLAPD, SUFFIX, Directory, make_directory, password_policy, person

ISSUER = "https://login.example.org"
NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC).timestamp()


def filetime(moment: datetime.datetime) -> str:
    """Return a time as Active Directory writes it."""
    return str(int((moment.timestamp() + 11_644_473_600) * 10_000_000))


def utc(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts, tzinfo=datetime.UTC)  # type: ignore[misc, arg-type]


D, E, L, N = State.DISABLED, State.EXPIRED, State.LOCKED, State.NOT_YET
#: (attribute, value, what it means; None for nothing)
TABLE: list[tuple[str, str, State | None]] = [
    ("userAccountControl", "512", None),
    ("userAccountControl", "514", D),
    ("userAccountControl", "66050", D),
    ("userAccountControl", "66048", None),
    ("userAccountControl", "-2147483134", D),
    ("accountExpires", "0", None),
    ("accountExpires", "9223372036854775807", None),
    ("accountExpires", filetime(utc(2020, 1, 1)), E),
    ("accountExpires", filetime(utc(2026, 11, 29, 11, 59)), E),
    ("accountExpires", filetime(utc(2026, 11, 29, 12, 1)), None),
    ("msDS-User-Account-Control-Computed", "0", None),
    ("msDS-User-Account-Control-Computed", "16", L),
    ("msDS-User-Account-Control-Computed", "8388608", None),
    ("pwdAccountLockedTime", "000001010000Z", L),
    ("pwdAccountLockedTime", "00000101000000Z", L),
    ("pwdAccountLockedTime", "000001010000+0000", L),
    ("pwdAccountLockedTime", "20261129115900Z", L),
    ("pwdStartTime", "20270101000000Z", N),
    ("pwdStartTime", "20260101000000Z", None),
    ("pwdEndTime", "20260101000000Z", E),
    ("pwdEndTime", "20270101000000Z", None),
    ("nsAccountLock", "true", D),
    ("nsAccountLock", "TRUE", D),
    ("nsAccountLock", "false", None),
    ("nsRoleDN", "cn=nsManagedDisabledRole,dc=facility,dc=org", D),
    ("nsRoleDN", "cn=nsDisabledRole,dc=facility,dc=org", D),
    ("nsRoleDN", "cn=staff,dc=facility,dc=org", None),
    ("nsRole", "cn=nsmanageddisabledrole,dc=facility,dc=org", D),
    ("accountUnlockTime", "19700101000000Z", L),
    ("accountUnlockTime", "20261129120100Z", L),
    ("accountUnlockTime", "20261129115900Z", None),
    ("krbPrincipalExpiration", "20200101000000Z", E),
    ("krbPrincipalExpiration", "20300101000000Z", None),
    ("shadowExpire", "-1", None),
    ("shadowExpire", "0", E),
    ("shadowExpire", "18262", E),
    ("shadowExpire", str(int(NOW // 86_400)), E),
    ("shadowExpire", str(int(NOW // 86_400) + 1), None),
    ("loginDisabled", "TRUE", D),
    ("loginDisabled", "FALSE", None),
    ("loginExpirationTime", "20200101000000Z", E),
    ("loginExpirationTime", "20300101000000Z", None),
    ("sambaAcctFlags", "[U          ]", None),
    ("sambaAcctFlags", "[DU         ]", D),
    ("sambaKickoffTime", "0", None),
    ("sambaKickoffTime", "2147483647", None),
    ("sambaKickoffTime", "1577836800", E),
]


@pytest.mark.parametrize(("attribute", "value", "state"), TABLE)
def test_each_attribute(attribute: str, value: str, state: State | None) -> None:
    entry = Entry("cn=anna", {attribute.lower(): [value.encode()]})
    found = closed_by(entry, NOW)
    assert (found.state if found else None) == state
    assert closed_by(entry, NOW, ignored=frozenset({attribute})) is None


def test_the_table_has_every_attribute() -> None:
    assert {attribute for attribute, _, _ in TABLE} == set(CHECKS)
    assert {attribute for attribute, _, state in TABLE if state} == set(CHECKS)


WORDS = {"nsAccountLock", "nsRoleDN", "nsRole", "loginDisabled", "sambaAcctFlags"}


@pytest.mark.parametrize("attribute", sorted(set(CHECKS) - WORDS))
@pytest.mark.parametrize("value", [b"", b"soon", b"\xff", b"1e4", b"20261301000000X", b"2026-01-01"])
def test_what_cannot_be_read_grants_nothing(attribute: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=attribute):
        closed_by(Entry("cn=anna", {attribute.lower(): [value]}), NOW)


@given(st.datetimes(utc(1970, 1, 2).replace(tzinfo=None), utc(9999, 12, 31).replace(tzinfo=None)))
def test_times_are_read_as_they_are_written(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=datetime.UTC)
    assert generalized_time(f"{moment:%Y%m%d%H%M%SZ}") == moment.timestamp()
    assert generalized_time(f"{moment:%Y%m%d%H%M%S.0Z}") == moment.timestamp()
    assert generalized_time(f"{moment:%Y%m%d%H%M%S}+0130") == moment.timestamp() - 5400


def test_a_lock_after_wrong_passwords_ends_by_its_policy() -> None:
    """It lasts as long as the policy says; it never ends sessions, or anybody could end them by guessing."""
    entry = Entry("cn=anna", {"pwdaccountlockedtime": [b"20261129115500Z"]})
    lock = closed_by(entry, NOW, lockout_s=900)
    assert lock is not None
    assert (lock.lasts, lock.until) == (False, NOW + 600)
    assert closed_by(entry, NOW, lockout_s=300) is None
    refusal = refusal_of(lock, NOW)
    assert isinstance(refusal, AccountLocked)
    assert not isinstance(refusal, NoAccount), "a recheck would stop the sessions"
    assert "for 10 more minutes" in str(refusal)
    both = Entry("cn=anna", {"pwdaccountlockedtime": [b"20261129115500Z"], "useraccountcontrol": [b"514"]})
    closed = closed_by(both, NOW)
    assert closed is not None
    assert isinstance(refusal_of(closed, NOW), AccountClosed), "what lasts takes precedence"


# -- a real directory ----------------------------------------------------------------------------------------------

PASSWORD = "Correct-Horse 7"


def shadow(uid: str, number: int, day: int) -> str:
    """Return the LDIF of a shadowAccount."""
    text = person(uid, number, userPassword=PASSWORD).replace(
        "posixAccount", "posixAccount\nobjectClass: shadowAccount"
    )
    return f"{text}shadowExpire: {day}\n"


PEOPLE = [
    person("anna", 25001, userPassword=PASSWORD),
    shadow("expired", 25002, 18262),
    shadow("never", 25003, -1),
    shadow("later", 25004, int(time.time() // 86_400) + 30),
    person("locked", 25005, userPassword=PASSWORD, pwdAccountLockedTime="000001010000Z"),
    person("ended", 25006, userPassword=PASSWORD, pwdEndTime="20200101000000Z"),
    person("guessed", 25007, userPassword=PASSWORD),
    person("reset", 25008, userPassword=PASSWORD, pwdReset="TRUE"),
    person("old", 25009, userPassword=PASSWORD, pwdChangedTime="20200101000000Z"),
    password_policy(
        pwdLockout="TRUE",
        pwdMaxFailure="3",
        pwdLockoutDuration="900",
        pwdFailureCountInterval="600",
        pwdMustChange="TRUE",
    ).replace("cn: default", f"cn: default\npwdMaxAge: {86_400 * 365}"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    if SLAPD is None or importlib.util.find_spec("ldap3") is None:
        missing("ldap", "slapd (the Debian package) or the library ldap3 is not installed")
    running = make_directory(tmp_path_factory.mktemp("states"), PEOPLE, policies=True)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def source(directory: Directory) -> Iterator[Callable[..., LdapSource]]:
    made: list[LdapSource] = []

    def build(**settings: Any) -> LdapSource:
        base = {"servers": [directory.tls], "ca_file": directory.ca, "issuers": [ISSUER]}
        base["person_base"] = f"ou=people,{SUFFIX}"
        one = LdapAccounts(config=Config({"LdapAccounts": base | settings})).source()
        assert isinstance(one, LdapSource)
        made.append(one)
        return one

    yield build
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("subject", "words", "attribute"),
    [
        ("expired", "has expired|is expired", "shadowExpire"),
        ("locked", "is locked", "pwdAccountLockedTime"),
        ("ended", "is expired", "pwdEndTime"),
    ],
)
async def test_a_closed_account_is_no_account(
    source: Callable[..., LdapSource], caplog: pytest.LogCaptureFixture, subject: str, words: str, attribute: str
) -> None:
    """Whichever way its owner signed in: the identity is a provider's."""
    with pytest.raises(AccountClosed, match=words) as refused:
        await source().account_of(Identity(ISSUER, subject))
    assert isinstance(refused.value, AccountRefused)
    assert attribute in caplog.text
    assert SUFFIX not in str(refused.value)
    assert (await source(ignored_account_state=[attribute]).account_of(Identity(ISSUER, subject))).name == subject
    assert (await source(ignored_account_state=["*"]).account_of(Identity(ISSUER, subject))).name == subject


@pytest.mark.parametrize("subject", ["anna", "never", "later", "old", "reset"])
async def test_an_open_account_is_one(source: Callable[..., LdapSource], subject: str) -> None:
    """What is wrong with a password counts for passwords alone."""
    assert (await source().account_of(Identity(ISSUER, subject))).name == subject


@pytest.mark.parametrize(("name", "words"), [("reset", "must change your password"), ("old", "password has expired")])
async def test_a_password_that_is_correct_and_of_no_use(
    source: Callable[..., LdapSource], caplog: pytest.LogCaptureFixture, name: str, words: str
) -> None:
    """The password policy's control says why, after a correct password; a guesser reads nothing."""
    one = source()
    with pytest.raises(AccountClosed, match=words):
        await one.name_if_password(name, PASSWORD)
    caplog.clear()
    assert await one.name_if_password(name, "wrong") == ""
    assert "password" not in caplog.text
    assert PASSWORD not in caplog.text


async def test_a_lock_after_wrong_passwords(
    directory: Directory, source: Callable[..., LdapSource], caplog: pytest.LogCaptureFixture
) -> None:
    """A real one: the log names it, the person reads the neutral sentence, and sessions go on."""
    one = source()
    for _ in range(3):
        assert await one.name_if_password("guessed", "wrong") == ""
    assert await one.name_if_password("guessed", PASSWORD) == ""
    assert "was not accepted: locked" in caplog.text
    with pytest.raises(AccountLocked, match="locked"):
        await one.account_of(Identity(ISSUER, "guessed"))
    assert POLICY not in caplog.text


async def test_the_policy_is_read(source: Callable[..., LdapSource]) -> None:
    policy = await source(person_base=SUFFIX).lockout_policy()
    assert (policy.failures, policy.window_s, policy.source) == (3, 600.0, POLICY)
    assert not policy.is_active_directory


@pytest.mark.parametrize("value", [["shadowExpires"], ["userPassword"], [""]])
def test_an_attribute_that_closes_nothing_cannot_be_ignored(value: list[str]) -> None:
    settings = {"servers": ["ldaps://x"], "issuers": [ISSUER], "person_base": SUFFIX, "ignored_account_state": value}
    with pytest.raises(ConfigurationError, match="closes no account"):
        LdapAccounts(config=Config({"LdapAccounts": settings})).source()
