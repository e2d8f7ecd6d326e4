"""Accounts of the machine itself: everybody, as `id` tells them, and a name service that hangs (R06, B2, C1)."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.accounts.refusals import AccountClosed
from daas_hub.accounts.sources.nss import NssAccounts, NssSource, _shadow_line, is_expired
from daas_hub.errors import ConfigurationError, NoAccount, SourceUnavailable
from tests.not_tried import missing

ISSUER = "https://login.example.org"
SOMEBODY = pwd.getpwuid(1).pw_name


def source(name: str = "{subject}", **more: Any) -> NssSource:
    return NssSource(name, frozenset({ISSUER}), **more)


def ids_of(option: str, name: str) -> list[int]:
    output = subprocess.run(["id", option, name], capture_output=True, text=True, check=True).stdout
    return [int(number) for number in output.split()]


async def test_everybody_the_machine_knows_is_who_id_says() -> None:
    """R06: the same numbers as a login on the machine."""
    people = pwd.getpwall()
    assert len(people) > 5
    for person in people:
        account = await source().account_of(Identity(ISSUER, person.pw_name))
        assert [account.uid] == ids_of("-u", person.pw_name)
        assert [account.gid] == ids_of("-g", person.pw_name)
        assert {account.gid, *account.groups} == set(ids_of("-G", person.pw_name))
        assert account.gid not in account.groups
        assert account == await source().account_named(person.pw_name)


NOW = 1_795_996_800.0
TODAY = int(NOW // 86_400)


@pytest.mark.parametrize(
    ("line", "expired"),
    [
        (f"x:!:19000:0:99999:7::{TODAY}:", True),
        (f"x:!:19000:0:99999:7::{TODAY + 1}:", False),
        ("x:!:19000:0:99999:7::1:", True),
        ("x:!:19000:0:99999:7:::", False),
        ("x:!:19000:0:99999:7::-1:", False),
        ("", False),
        ("x:*", False),
    ],
)
async def test_an_account_that_has_expired_runs_nothing(line: str, expired: bool) -> None:
    """shadow(5): from that day on, whichever way its owner signed in."""
    settings = {"shadow_line": lambda _name: line, "now": lambda: NOW}
    if expired:
        with pytest.raises(AccountClosed, match="has expired"):
            await source(**settings).account_of(Identity(ISSUER, SOMEBODY))
    else:
        assert (await source(**settings).account_of(Identity(ISSUER, SOMEBODY))).name == SOMEBODY
    assert (await source(ignores_expiry=True, **settings).account_named(SOMEBODY)).name == SOMEBODY


def test_the_machines_own_shadow_entry() -> None:
    if os.geteuid() != 0:
        missing("root", "only root can read shadow entries")
    line = _shadow_line(SOMEBODY)
    assert line.startswith(f"{SOMEBODY}:")
    assert not is_expired(line, NOW)
    assert is_expired(":".join([*line.split(":")[:7], "1", ""]), NOW)
    assert _shadow_line("nobody-of-this-name") == ""


async def test_a_name_from_a_claim() -> None:
    by_claim = source("{claim.unix_name}")
    assert by_claim.claims == {"unix_name"}
    account = await by_claim.account_of(Identity(ISSUER, "4711", claims={"unix_name": SOMEBODY}))
    assert account.name == SOMEBODY
    with pytest.raises(NoAccount, match="unix_name"):
        await by_claim.account_of(Identity(ISSUER, SOMEBODY))


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(Identity(ISSUER, "nobody-of-this-name"), id="B2 unknown"),
        pytest.param(Identity("https://evil.example.org", SOMEBODY), id="F7 another issuer"),
        pytest.param(Identity(ISSUER, SOMEBODY.upper()), id="C1 capitals"),
        pytest.param(Identity(ISSUER, SOMEBODY + " "), id="C1 a blank"),
        pytest.param(Identity(ISSUER, "1"), id="a number for a name"),
        pytest.param(Identity(ISSUER, SOMEBODY + "\0"), id="A2 NUL"),
        pytest.param(Identity(ISSUER, "\udc80"), id="A2 half a character"),
        pytest.param(Identity(ISSUER, SOMEBODY + ":x"), id="A2 a colon"),
        pytest.param(Identity(ISSUER, "../" + SOMEBODY), id="a path"),
    ],
)
async def test_nobody_else_has_an_account(identity: Identity) -> None:
    with pytest.raises(NoAccount):
        await source().account_of(identity)


async def test_a_name_service_that_ignores_case() -> None:
    """C1: sssd does not mind capitals if it is configured so; the portal does."""
    loose = source(user=lambda name: pwd.getpwnam(name.lower()))
    assert (await loose.account_of(Identity(ISSUER, SOMEBODY))).name == SOMEBODY
    with pytest.raises(NoAccount):
        await loose.account_of(Identity(ISSUER, SOMEBODY.upper()))


async def test_groups_without_a_name_keep_their_number() -> None:
    def nameless(gid: int) -> str:
        raise KeyError(gid)

    found = await source(groups=lambda _, gid: [gid, 26001], group_name=nameless).account_named(SOMEBODY)
    assert (found.groups, found.group_names, found.memberships) == ((26001,), {}, frozenset())


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_a_name_service_that_hangs(released: threading.Event) -> None:
    """Nothing is concluded, and the loop goes on meanwhile."""

    def hang(name: str) -> pwd.struct_passwd:
        released.wait(30)
        return pwd.getpwnam(name)

    hanging = source(user=hang, timeout_s=2.0)
    started, longest = time.monotonic(), 0.0
    asked = asyncio.create_task(hanging.account_of(Identity(ISSUER, SOMEBODY)))
    while not asked.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - before)
    with pytest.raises(SourceUnavailable):
        await asked
    assert 1.9 < time.monotonic() - started < 20
    assert longest < 2
    released.set()
    assert (await hanging.account_of(Identity(ISSUER, SOMEBODY))).name == SOMEBODY


async def test_a_name_service_that_breaks() -> None:
    def broken(name: str) -> pwd.struct_passwd:
        raise OSError(5, "Input/output error")

    with pytest.raises(SourceUnavailable):
        await source(user=broken).account_named(SOMEBODY)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("name", "anna", "everybody would get the same account"),
        ("name", "{sub}", "unknown field"),
        ("name", "{subject", "brace"),
        ("issuers", [], "any issuer"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(setting: str, value: Any, words: str) -> None:
    config = Config()
    config.NssAccounts = Config({"issuers": [ISSUER]})
    assert NssAccounts(config=config).source()
    config.NssAccounts = Config({"issuers": [ISSUER], setting: value})
    with pytest.raises(ConfigurationError, match=words) as raised:
        NssAccounts(config=config).source()
    assert raised.value.setting == f"NssAccounts.{setting}"
