"""A real Active Directory (Samba's): the profile, the state of accounts, reasons of a bind, and guesses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from daas_hub.accounts import AccountRules
from daas_hub.accounts.passwords import PasswordSource
from daas_hub.accounts.refusals import AccountClosed, AccountLocked
from daas_hub.accounts.sources.ldap.sids import RidMapping, SssdMapping, sid_of
from daas_hub.authenticators.doctor.checks import examine_lockout
from daas_hub.authenticators.errors import TooManyAttempts, WrongPassword
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.errors import AccountRefused, NoAccount, SourceUnavailable
from daas_hub.findings import Verdict
from tests.accounts.sources.ldap.servers import account_of, name_if_password, with_source
from tests.not_tried import missing
from tests.stand_ins.active_directory import (
    BASE,
    GROUPS,
    PASSWORD,
    PEOPLE,
    ActiveDirectory,
    active_directory,
    problem,
)

pytestmark = pytest.mark.servers

THRESHOLD = 5


@pytest.fixture(scope="module")
def ad() -> Iterator[ActiveDirectory]:
    if problem():
        missing("samba", problem())
    with active_directory(lockout_threshold=THRESHOLD) as one:
        anna = one.person("anna.lindqvist")
        one.person("ALindqvist")
        inner = one.group("inner", 31001, [anna])
        middle = one.group("middle", None, [inner])
        one.group("outer", 31002, [middle])
        one.group("others", 31003)
        one.person("disabled", flags=514)
        one.person("expired", accountExpires="132223104000000000")
        one.person("never", accountExpires="9223372036854775807")
        one.person("must-change", pwdLastSet="0")
        one.person("numberless", has_numbers=False)
        one.person("guessed")
        one.person("locked")
        yield one


@pytest.mark.parametrize("name", ["anna.lindqvist", "ANNA.Lindqvist"])
def test_the_profile_finds_an_account_with_nested_and_primary_groups(ad: ActiveDirectory, name: str) -> None:
    account = account_of(ad.settings(), name)
    assert account.name == "anna.lindqvist"
    assert account.gid == 30500
    assert account.groups == (31001, 31002)
    assert account.memberships == {"inner", "middle", "outer", "Domain Users"}
    assert AccountRules().require_allowed(account) is account


def test_the_directorys_spelling_is_the_name(ad: ActiveDirectory) -> None:
    account = account_of(ad.settings(), "alindqvist")
    assert AccountRules().require_allowed(account).name == "ALindqvist"


def test_the_root_of_the_domain_refers_to_partitions_without_people(ad: ActiveDirectory) -> None:
    assert account_of(ad.settings(person_base=BASE, group_base=BASE), "anna.lindqvist").groups == (31001, 31002)
    with pytest.raises(SourceUnavailable, match="incomplete answer"):
        account_of(ad.settings(person_base=BASE, ignored_referrals=[]), "anna.lindqvist")
    several = ad.settings(person_base=[GROUPS, PEOPLE], group_base=[PEOPLE, GROUPS])
    assert account_of(several, "anna.lindqvist").groups == (31001, 31002)


@pytest.mark.parametrize(
    ("name", "words", "attribute"),
    [("disabled", "is disabled", "userAccountControl"), ("expired", "is expired", "accountExpires")],
)
def test_a_closed_account_runs_nothing_whichever_way_its_owner_signed_in(
    ad: ActiveDirectory, caplog: pytest.LogCaptureFixture, name: str, words: str, attribute: str
) -> None:
    with pytest.raises(AccountClosed, match=words):
        account_of(ad.settings(), name)
    assert attribute in caplog.text
    assert account_of(ad.settings(ignored_account_state=[attribute]), name).name == name


@pytest.mark.parametrize("name", ["never", "must-change"])
def test_an_open_account(ad: ActiveDirectory, name: str) -> None:
    assert account_of(ad.settings(), name).name == name


def test_a_state_that_is_hidden_is_no_good_state(ad: ActiveDirectory) -> None:
    """userAccountControl that the portal may not read would look like an account that is enabled."""
    hidden = ad.settings(required_attributes=["userAccountControl", "carLicense"])
    with pytest.raises(AccountRefused, match="carLicense is missing, or hidden"):
        account_of(hidden, "anna.lindqvist")


def test_numbers_from_the_security_identifier(ad: ActiveDirectory) -> None:
    """As winbind and SSSD calculate them: for people without uidNumber, also through the global catalogue."""
    with pytest.raises(AccountRefused, match=r"uidNumber|gidNumber"):
        account_of(ad.settings(), "numberless")
    sid = sid_of(ad.read(f"CN=numberless,{PEOPLE}", "objectSid")["objectSid"][0])
    for more, mapping in (
        ({"id_mapping": "rid", "id_mapping_base": 100_000}, RidMapping(100_000)),
        ({"id_mapping": "sssd"}, SssdMapping()),
        ({"id_mapping": "sssd", "id_mapping_domain": sid.domain}, SssdMapping(default_domain=sid.domain)),
    ):
        for server in (ad.ldaps, ad.global_catalogue):
            account = account_of(ad.settings(servers=[server], **more), "numberless")
            assert account.uid == mapping.number_of(sid)
            # Domain Users
            assert account.gid - account.uid == 513 - sid.rid
            assert account.groups == ()
    other = ad.settings(id_mapping="rid", id_mapping_base=100_000, id_mapping_domain="S-1-5-21-1-2-3")
    with pytest.raises(AccountRefused, match="has no numbers here"):
        account_of(other, "numberless")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("disabled", "account is disabled"),
        ("expired", "account has expired"),
        ("must-change", "must change your password"),
    ],
)
def test_a_correct_password_that_is_of_no_use(ad: ActiveDirectory, name: str, words: str) -> None:
    """The directory says why after a correct password only; a guesser reads the same of everybody."""
    with pytest.raises(AccountClosed, match=words):
        name_if_password(ad.settings(), name, PASSWORD)
    assert name_if_password(ad.settings(), name, "wrong") == ""
    assert name_if_password(ad.settings(), "anna.lindqvist", PASSWORD) == "anna.lindqvist"
    assert name_if_password(ad.settings(), "ANNA.lindqvist", PASSWORD) == "anna.lindqvist"
    assert name_if_password(ad.settings(), "nobody", PASSWORD) == ""


def _guess(ad: ActiveDirectory, name: str, times: int, **limits: Any) -> list[type[Exception]]:
    """Guess at the portal, from many places; return what was answered."""

    async def guess(source: Any) -> list[type[Exception]]:
        method = PasswordMethod(PasswordSource("ldap:ad", "x", 12.0, source.name_if_password, **limits))
        answers: list[type[Exception]] = []
        for number in range(times):
            try:
                await method.login_of(name, f"wrong-{number}", f"192.0.2.{number}")
            except (WrongPassword, TooManyAttempts) as refusal:
                answers.append(type(refusal))
        return answers

    return with_source(ad.settings(), guess)


def test_guesses_at_the_portal_do_not_lock_the_account(ad: ActiveDirectory) -> None:
    answers = _guess(ad, "guessed", 20)
    assert answers.count(WrongPassword) == 3
    state = ad.read(f"CN=guessed,{PEOPLE}", "lockoutTime", "badPwdCount")
    assert state["badPwdCount"] == [b"3"]
    assert state.get("lockoutTime") in (None, [], [b"0"])
    assert name_if_password(ad.settings(), "guessed", PASSWORD) == "guessed"


def test_a_locked_account_is_locked_here_and_says_nothing_to_a_guesser(
    ad: ActiveDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    """What would happen without the limit, and what the portal does with an account that somebody else has locked."""
    assert _guess(ad, "locked", THRESHOLD, max_failures=100).count(WrongPassword) == THRESHOLD
    assert ad.read(f"CN=locked,{PEOPLE}", "lockoutTime")["lockoutTime"] != [b"0"]
    assert name_if_password(ad.settings(), "locked", PASSWORD) == ""
    assert "was not accepted: locked" in caplog.text
    with pytest.raises(AccountLocked) as refused:
        account_of(ad.settings(), "locked")
    assert not isinstance(refused.value, NoAccount), "a recheck must not stop the sessions"
    assert account_of(ad.settings(ignored_account_state=["*"]), "locked").name == "locked"


def test_the_doctor_compares_the_limits(ad: ActiveDirectory) -> None:
    def finding(**limits: Any) -> Any:
        async def look(source: Any) -> Any:
            one = PasswordSource("ldap:ad", "x", 12.0, source.name_if_password, lockout=source.lockout_policy, **limits)
            return await examine_lockout(PasswordMethod(one))

        return with_source(ad.settings(), look)

    assert finding().verdict is Verdict.OK
    high = finding(max_failures=5)
    assert high.verdict is Verdict.WARNING
    assert "5" in high.result
    assert finding(failures_window_s=60.0).verdict is Verdict.WARNING


def test_the_doctor_notices_the_kind_of_directory(ad: ActiveDirectory) -> None:
    def warned(**more: Any) -> tuple[str, str]:
        return with_source(ad.settings(**more), lambda source: source.configuration_warning())

    assert warned() == ("", "")
    message, remedy = warned(profile="generic")
    assert "Active Directory" in message
    assert 'profile = "active-directory"' in remedy


def test_people_at_the_same_time(ad: ActiveDirectory) -> None:
    async def ask(source: Any) -> list[Any]:
        from daas_hub.accounts import Identity
        from tests.accounts.sources.ldap.servers import ISSUER

        names = ["anna.lindqvist", "never", "alindqvist", "must-change"] * 5
        return await asyncio.gather(*(source.account_of(Identity(ISSUER, name)) for name in names))

    assert len({account.uid for account in with_source(ad.settings(), ask)}) == 4
