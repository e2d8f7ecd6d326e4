"""A real 389 Directory Server: the state of accounts, reasons of a bind, and its lockout policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.accounts.refusals import AccountClosed, AccountLocked
from tests.accounts.sources.ldap.servers import account_of, name_if_password, with_source
from tests.not_tried import missing
from tests.stand_ins.directory_389 import (
    PASSWORD,
    PEOPLE,
    ROOT,
    ROOT_PASSWORD,
    SUFFIX,
    Directory389,
    directory_389,
    problem,
)

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server() -> Iterator[Directory389]:
    if problem():
        missing("389", problem())
    with directory_389() as one:
        one.person("anna")
        one.group("ma-4242", 26001, ["anna"])
        one.person("locked", nsAccountLock="true")
        one.person("open", nsAccountLock="false")
        one.person("role", nsRoleDN=f"cn=nsManagedDisabledRole,{SUFFIX}")
        one.person("guessed")
        one.person("old")
        one.person("many")
        for number in range(700):
            one.group(f"g{number}", 40_000 + number, ["many"])
        limits = {"passwordLockout": "on", "passwordMaxFailure": "3", "passwordIsGlobalPolicy": "on"}
        one.change("cn=config", passwordMustChange="on", passwordExp="on", **limits)
        one.change(f"uid=old,{PEOPLE}", passwordExpirationTime="20200101000000Z")
        one.person("new")
        yield one


def test_an_account_with_its_groups(server: Directory389) -> None:
    account = account_of(server.settings(), "Anna")
    assert (account.name, account.groups, account.memberships) == ("anna", (26001,), {"ma-4242"})
    assert account_of(server.settings(), "open").name == "open"


def test_seven_hundred_groups_over_a_limit_of_the_server(server: Directory389) -> None:
    """The answer is cut off at 200 entries, except in pages."""
    server.change("cn=config", **{"nsslapd-sizelimit": "200", "nsslapd-pagedsizelimit": "-1"})
    try:
        assert len(account_of(server.settings(), "many").groups) == 700
    finally:
        server.change("cn=config", **{"nsslapd-sizelimit": "2000"})


@pytest.mark.parametrize(("name", "attribute"), [("locked", "nsAccountLock"), ("role", "nsRoleDN")])
def test_an_inactivated_account(
    server: Directory389, caplog: pytest.LogCaptureFixture, name: str, attribute: str
) -> None:
    with pytest.raises(AccountClosed, match="is disabled"):
        account_of(server.settings(), name)
    assert attribute in caplog.text


def test_an_inactivated_account_says_nothing_to_a_guesser(
    server: Directory389, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so whatever the password: the person reads the same as of a wrong one, and the log has it."""
    assert name_if_password(server.settings(), "locked", "wrong") == ""
    assert name_if_password(server.settings(), "locked", PASSWORD) == ""
    assert "unwilling" in caplog.text


@pytest.mark.parametrize(("name", "words"), [("new", "must change"), ("old", "has expired")])
def test_a_correct_password_that_is_of_no_use(server: Directory389, name: str, words: str) -> None:
    with pytest.raises(AccountClosed, match=words):
        name_if_password(server.settings(), name, PASSWORD)
    assert name_if_password(server.settings(), name, "wrong") == ""
    assert account_of(server.settings(), name).name == name, "which is a matter of the password alone"


def test_a_lock_after_wrong_passwords(server: Directory389, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(4):
        assert name_if_password(server.settings(), "guessed", "wrong") == ""
    assert name_if_password(server.settings(), "guessed", PASSWORD) == ""
    assert "was not accepted: locked" in caplog.text
    with pytest.raises(AccountLocked, match=r"for \d+ more minutes"):
        account_of(server.settings(), "guessed")


def test_the_policy_is_read_where_it_may_be(server: Directory389, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(ROOT_PASSWORD)
    secret.chmod(0o600)
    bound = server.settings(bind_dn=ROOT, password_file=str(secret))
    policy = with_source(bound, lambda source: source.lockout_policy())
    assert (policy.failures, policy.window_s, policy.source) == (3, 600.0, "cn=config")
    assert with_source(server.settings(), lambda source: source.lockout_policy()).source == ""
