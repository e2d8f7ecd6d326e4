"""Passwords of the facility (AL10, AL11, SO07): who is let in, who is not, and how fast it may be tried."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts.passwords import PasswordLogin, PasswordSource
from daas_hub.accounts.refusals import AccountClosed
from daas_hub.authenticators.doctor.checks import examine_passwords
from daas_hub.authenticators.errors import LoginExpired, TooManyAttempts, WrongPassword
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.authenticators.password.rate_limit import LONGEST_S, MAX_KEYS, TURN_S, AttemptLimiter
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.errors import AccountRefused, ConfigurationError, SourceUnavailable
from tests.authenticators.facility import ONE, FakeFacility
from tests.not_tried import missing
from tests.stand_ins.calipsoplus import UserOffice
from tests.stand_ins.directory import SLAPD, SUFFIX, Directory, make_directory, person
from tests.stand_ins.running import running_beside

RIGHT = "Correct-Horse 7"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


# -- how fast --------------------------------------------------------------------------------------------------------


def test_a_hundred_guesses_take_days() -> None:
    clock = Clock()
    guesses = AttemptLimiter(clock)
    for made in range(100):
        wait = guesses.begin("anna", f"192.0.2.{made}")
        if wait:
            assert wait <= LONGEST_S
            clock.now += wait
            assert guesses.begin("Anna", f"192.0.2.{made}") == 0, "capitals are no other name"
    assert clock.now - 1000 > 80 * LONGEST_S


def test_a_hundred_at_once_are_five() -> None:
    guesses = AttemptLimiter(Clock())
    assert sum(guesses.begin("anna", f"192.0.2.{i}") == 0 for i in range(100)) == 5
    # many names from one place are slowed down as well, and nobody elsewhere is
    assert sum(guesses.begin(f"name{i}", "198.51.100.1") == 0 for i in range(100)) == 30
    assert guesses.begin("ben", "203.0.113.1") == 0


def test_who_is_right_begins_anew_and_the_address_does_not() -> None:
    clock = Clock()
    guesses = AttemptLimiter(clock, free_of_name=2, free_of_address=4)
    for _ in range(8):
        # an attacker signs in as themselves in between
        clock.now += guesses.begin("mallory", "a")
        guesses.succeeded("mallory", "a")
    spent = [guesses.begin(f"n{i}", "a") for i in range(7)]
    assert spent[-1] > 0
    clock.now += 4000
    assert guesses.begin("n0", "a") == 0, "it is forgotten in the end"


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
        ("no address", "another", False),
    ],
)
def test_what_counts_as_one_place(first: str, second: str, is_one: bool) -> None:
    """Of IPv6 anybody has 18 trillion addresses: the network counts."""
    guesses = AttemptLimiter(Clock(), free_of_address=1)
    assert guesses.begin("a", first) == 0
    assert (guesses.begin("b", second) > 0) is is_one


def test_one_who_guesses_does_not_lock_the_others_behind_its_address() -> None:
    """A proxy or a course: each name gets its turn, whatever is guessed meanwhile; and guessing stays slow."""
    clock = Clock()
    guesses = AttemptLimiter(clock)
    for made in range(50):
        clock.now += guesses.begin(f"guessed{made}", "198.51.100.1")
        guesses.begin(f"guessed{made}", "198.51.100.1")
    wait = guesses.begin("anna", "198.51.100.1")
    assert 0 < wait <= TURN_S
    clock.now += wait
    for made in range(1000):
        assert guesses.begin(f"other{made}", "198.51.100.1") > 0
    assert guesses.begin("anna", "198.51.100.1") == 0, "it is her turn"
    assert guesses.begin("anna", "198.51.100.1") == 2 * TURN_S, "the next one is later"


def test_guesses_from_elsewhere_do_not_lock_the_owner_of_a_name() -> None:
    """Where a name has signed in before, only what was tried there counts; elsewhere the name waits."""
    clock = Clock()
    guesses = AttemptLimiter(clock)
    assert guesses.begin("anna", "192.0.2.1") == 0
    guesses.succeeded("anna", "192.0.2.1")
    for made in range(500):
        guesses.begin("anna", f"203.0.113.{made % 250}")
    assert guesses.begin("anna", "203.0.113.251") > 0
    assert guesses.begin("Anna", "192.0.2.1") == 0
    guesses.succeeded("Anna", "192.0.2.1")
    assert guesses.begin("anna", "203.0.113.251") > 0, "her login gives the others no new attempts"
    # and whoever guesses at her address waits as everywhere
    assert sum(guesses.begin("anna", "192.0.2.1") == 0 for _ in range(100)) == 5


def test_memory_is_bounded() -> None:
    guesses = AttemptLimiter(Clock())
    for i in range(MAX_KEYS + 50):
        guesses.begin(f"n{i}", f"a{i}")
    assert len(guesses) == 3 * MAX_KEYS


def test_guesses_stay_below_the_directorys_own_limit() -> None:
    """Four in all, from wherever and however slowly: the directory's count begins anew only after a pause."""
    clock = Clock()
    guesses = AttemptLimiter(clock, max_of_name=4, window_s=1800.0)
    assert guesses.begin("anna", "192.0.2.1") == 0
    guesses.succeeded("anna", "192.0.2.1")
    failed: list[float] = []
    for made in range(2000):
        # from many places, among them the one where she signs in
        wait = guesses.begin("Anna", "192.0.2.1" if made % 3 == 0 else f"203.0.113.{made % 250}")
        if wait <= 0:
            failed.append(clock.now)
        clock.now += 20
    runs, count = [], 1
    for before, after in pairwise(failed):
        count = 1 if after - before >= 1800 else count + 1
        runs.append(count)
    assert max(runs) == 4
    assert len(failed) > 20, "and it continues after a pause"


def test_the_last_of_the_budget_is_for_where_a_name_has_signed_in() -> None:
    clock = Clock()
    guesses = AttemptLimiter(clock, max_of_name=4, window_s=1800.0)
    guesses.begin("anna", "192.0.2.1")
    guesses.succeeded("anna", "192.0.2.1")
    assert sum(guesses.begin("anna", f"203.0.113.{made}") == 0 for made in range(100)) == 3
    assert guesses.begin("anna", "203.0.113.7") == 1800
    assert guesses.begin("anna", "192.0.2.1") == 0
    guesses.unanswered("anna", "192.0.2.1")
    assert guesses.begin("anna", "192.0.2.1") == 0, "silence is no guess"
    assert guesses.begin("anna", "192.0.2.1") > 1000
    assert guesses.begin("ben", "203.0.113.7") == 0
    clock.now += 1800
    assert guesses.begin("anna", "203.0.113.7") == 0


# -- the login method -----------------------------------------------------------------------------------------------


def method(check: Any, clock: Clock | None = None) -> PasswordMethod:
    clock = clock or Clock()
    return PasswordMethod(PasswordSource("ldap:x", "your account", 12, check), clock, clock)


async def test_nothing_of_a_password_is_kept_and_a_login_has_its_hours() -> None:
    clock = Clock()

    async def check(name: str, password: str) -> str:
        return "anna"

    mine = method(check, clock)
    login = await mine.login_of(" Anna ", RIGHT, "a")
    state = login.as_state("password")
    assert RIGHT not in repr(state)
    assert (login.identity.issuer, login.identity.subject) == ("ldap:x", "anna")
    assert mine.knows(state)
    assert not mine.knows(state | {"method": "other"})
    clock.now += 11 * 3600
    assert (await mine.refresh(state)).identity == login.identity
    clock.now += 2 * 3600
    with pytest.raises(LoginExpired):
        await mine.refresh(state)
    with pytest.raises(LoginExpired):
        await mine.refresh({"method": "password", "identity": login.identity.as_state()})


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", ""), ("", "x"), ("anna", "a\0b"), ("an\0na", "x"), ("anna", "p" * 1025), ("a" * 256, "x"), ("a\nb", "x")],
)
async def test_what_is_no_name_or_password_asks_nobody(name: str, password: str) -> None:
    async def check(name: str, password: str) -> str:
        raise AssertionError("it was asked")

    with pytest.raises(WrongPassword):
        await method(check).login_of(name, password, "a")


async def test_how_many_guesses_are_passed_on_is_a_setting() -> None:
    asked: list[str] = []

    async def check(name: str, password: str) -> str:
        asked.append(password)
        return ""

    for most in (1, 2, 4):
        asked.clear()
        source = PasswordSource("ldap:x", "your account", 12, check, max_failures=most)
        mine = PasswordMethod(source, Clock(), Clock())
        for number in range(20):
            with pytest.raises((WrongPassword, TooManyAttempts)):
                await mine.login_of("anna", f"wrong {number}", f"192.0.2.{number}")
        assert len(asked) == max(1, most - 1), "one is kept for places where anna has signed in"


async def test_a_correct_password_that_is_of_no_use_says_why() -> None:
    """And a wrong one does not: the source says so after a correct password only."""

    async def check(name: str, password: str) -> str:
        if password == RIGHT:
            raise AccountClosed("Your password has expired.", remedy="Please go to the help desk.")
        return ""

    with pytest.raises(WrongPassword, match=r"has expired\. Please go to the help desk"):
        await method(check).login_of("anna", RIGHT, "a")
    with pytest.raises(WrongPassword, match="The name or the password is wrong"):
        await method(check).login_of("anna", "wrong", "a")


async def test_silence_is_no_guess() -> None:
    async def check(name: str, password: str) -> str:
        raise SourceUnavailable("It is down.")

    mine = method(check)
    for _ in range(20):
        with pytest.raises(SourceUnavailable):
            await mine.login_of("anna", RIGHT, "a")


# -- a real directory ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    if SLAPD is None:
        missing("slapd", "OpenLDAP's server is not installed")
    people = [
        person("Anna", 25001, userPassword=RIGHT),
        person("ben", 25002),
        person("twin", 25003, userPassword=RIGHT),
        person("twin", 25004, userPassword=RIGHT),
        person("guest", 25005, under="elsewhere", userPassword=RIGHT),
    ]
    running = make_directory(tmp_path_factory.mktemp("passwords"), people)
    running.start()
    yield running
    running.stop()


Ask = Callable[..., PasswordSource]


@pytest.fixture
def ldap_source(directory: Directory) -> Iterator[Ask]:
    """Build sources as the configuration does, and close them."""
    made: list[PasswordSource] = []

    def build(**more: Any) -> PasswordSource:
        made.append(source_of(directory, **more))
        return made[-1]

    yield build
    for one in made:
        one.check.__self__.close()  # type: ignore[attr-defined]


def source_of(directory: Directory, **more: Any) -> PasswordSource:
    settings = {"servers": [directory.tls], "ca_file": directory.ca, "person_base": f"ou=people,{SUFFIX}"}
    return PasswordLogin(
        config=Config({"LdapAccounts": settings | {"issuers": [f"ldap:ou=people,{SUFFIX}"]} | more})
    ).source("ldap")


@pytest.mark.parametrize("start_tls", [True, False])
async def test_the_directory_lets_in_whom_it_knows(directory: Directory, ldap_source: Ask, start_tls: bool) -> None:
    """SO07: as the directory writes the name, however it was typed."""
    source = ldap_source(**({"servers": [directory.plain]} if start_tls else {}))
    assert source.issuer == f"ldap:ou=people,{SUFFIX}"
    for typed in ("Anna", "anna", "ANNA"):
        assert await source.check(typed, RIGHT) == "Anna"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Anna", "wrong"),
        ("Anna", RIGHT.lower()),
        ("Anna", RIGHT + "\0"),
        ("Anna", ""),
        ("nobody", RIGHT),
        ("nobody", ""),
        ("*", RIGHT),
        ("Ann*", RIGHT),
        ("Anna)(uid=*", RIGHT),
        ("*)(uid=*))(|(uid=*", RIGHT),
        ("Anna)(|(uid=Anna", RIGHT),
        ("\\41nna", RIGHT),
        (f"cn=Anna 25001,ou=people,{SUFFIX}", RIGHT),
        ("Аnna", RIGHT),  # a Cyrillic A
        ("Ａnna", RIGHT),  # full width
        ("An\u00adna", RIGHT),
        ("ben", RIGHT),
        ("ben", ""),
        ("twin", RIGHT),
        ("guest", RIGHT),
        ("reader", "only-for-this-test"),
    ],
)
async def test_the_directory_lets_in_nobody_else(ldap_source: Ask, name: str, password: str) -> None:
    assert await ldap_source().check(name, password) == ""


async def test_a_directory_that_hangs_is_reported(directory: Directory, ldap_source: Ask) -> None:
    source = ldap_source(operation_timeout_s=0.3, timeout_s=1.0)
    with directory.paused(), pytest.raises(SourceUnavailable):
        await source.check("Anna", RIGHT)


async def test_wrong_passwords_leave_the_directory_where_it_is(
    directory: Directory, ldap_source: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """However many guess, everybody else gets in; a directory that hangs is left alone."""
    source = ldap_source(operation_timeout_s=1.0, timeout_s=10.0)
    for name in ("Anna", "nobody", "ben", "twin") * 3:
        with contextlib.suppress(AccountRefused):
            assert await source.check(name, "wrong") == ""
    assert await source.check("Anna", RIGHT) == "Anna"
    assert "times in a row" not in caplog.text
    with directory.paused():
        for _ in range(5):
            with pytest.raises(SourceUnavailable):
                await source.check("Anna", RIGHT)
    assert "times in a row" in caplog.text
    with pytest.raises(SourceUnavailable):
        await source.check("Anna", RIGHT)
    assert RIGHT not in caplog.text


async def test_a_password_is_in_no_log(ldap_source: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SourceUnavailable):
        await ldap_source(ca_file="").check("Anna", RIGHT)
    await ldap_source().check("Anna", RIGHT + "x")
    assert RIGHT not in caplog.text


def test_passwords_never_go_in_the_clear() -> None:
    settings = {"servers": ["ldap://127.0.0.1:389"], "start_tls": False, "person_base": "x", "issuers": ["ldap:x"]}
    with pytest.raises(ConfigurationError, match="unencrypted"):
        PasswordLogin(config=Config({"LdapAccounts": settings})).source("ldap")


# -- a user office, and the setting ----------------------------------------------------------------------------------


async def test_the_user_office_says_yes_by_200_alone() -> None:
    """AL11."""
    with running_beside(UserOffice().app()) as url:
        source = PasswordLogin(config=Config({"PasswordLogin": {"login_url": f"{url}/services/login/"}})).source(
            "calipsoplus"
        )
        assert await source.check("Calipso1 ", "calipso1") == "calipso1"
        assert source.issuer.startswith("calipsoplus:http")
        for name, password in (("calipso1", "x"), ("calipso9", "calipso9"), ("calipso1", ""), ("*", "*")):
            assert await source.check(name, password) == ""


def test_it_is_off_and_one_line_turns_it_on(facility: FakeFacility) -> None:
    def methods(**more: Any) -> list[str]:
        config = {"UmbrellaAuthenticator": ONE | more, "PasswordLogin": {"login_url": "https://uo.example.org/login/"}}
        return list(UmbrellaAuthenticator(config=Config(config)).methods)

    assert methods() == ["openid"]
    assert methods(passwords="calipsoplus") == ["openid", "password"]
    with pytest.raises(ConfigurationError, match="not a password source"):
        methods(passwords="file")
    with pytest.raises(ConfigurationError, match="login_url"):
        PasswordLogin(config=Config({"PasswordLogin": {"login_url": "http://uo.example.org/login/"}})).source(
            "calipsoplus"
        )


async def test_too_many_are_reported_when_to_come_back() -> None:
    async def check(name: str, password: str) -> str:
        return ""

    mine = method(check)
    for _ in range(3):
        with pytest.raises(WrongPassword):
            await mine.login_of("anna", "x", "a")
    for _ in range(97):
        with pytest.raises(TooManyAttempts, match="Please try again in"):
            await mine.login_of("anna", "x", "a")


def test_passwords_need_no_provider_beside_them(facility: FakeFacility) -> None:
    """A small facility has its directory, and nothing else."""
    config = Config(
        {
            "UmbrellaAuthenticator": {"passwords": "ldap"},
            "LdapAccounts": {"servers": ["ldaps://localhost"], "person_base": "dc=x", "issuers": ["ldap:dc=x"]},
        }
    )
    authenticator = UmbrellaAuthenticator(config=config)
    assert list(authenticator.methods) == ["password"]
    assert authenticator.login_url("/hub/") == "/hub/login", "a form cannot be gone to"


async def says_no(name: str, password: str) -> str:
    return ""


async def says_yes(name: str, password: str) -> str:
    return name


async def says_nothing(name: str, password: str) -> str:
    raise SourceUnavailable("The facility's directory is not available at the moment.")


@pytest.mark.parametrize(
    ("check", "verdict", "got"),
    [
        (says_no, "ok", "sign in once by hand"),
        (says_yes, "problem", "accepted as nobody-"),
        (says_nothing, "problem", "not available"),
    ],
)
async def test_the_doctor_asks_for_nobodys_password(check: Any, verdict: str, got: str) -> None:
    found = await examine_passwords(method(check))
    assert (found.key, found.verdict) == ("login.passwords", verdict)
    assert got in found.result
