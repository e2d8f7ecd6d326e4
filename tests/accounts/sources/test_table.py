"""Accounts from a YAML table: who stands in it, what is a mistake in it, and an edit without a restart (AL05, AL60)."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest

from daas_hub.accounts import AccountTable, Identity
from daas_hub.errors import DocumentError, NoAccount, SourceUnavailable

ISSUER = "https://login.example.org"
ANNA = "{name: anna, uid: 25001, gid: 25001, logins: [{issuer: 'https://login.example.org', subject: anna}]}"
BEN = "{name: ben, uid: 25002, gid: 25002, logins: [{issuer: 'https://login.example.org', subject: ben}]}"


def written(folder: Path, *people: str) -> Path:
    file = folder / "accounts.yaml"
    file.write_text("accounts:\n" + "".join(f"  - {person}\n" for person in people))
    # a clock that is coarser than this test must not hide the change
    stamp = file.stat().st_mtime_ns + 1_000_000 * len(people)
    os.utime(file, ns=(stamp, stamp))
    return file


async def test_an_account_with_all_it_has(tmp_path: Path) -> None:
    person = (
        "{name: anna, uid: 25001, gid: 25001, display_name: Anna L., groups: {ma-1: 26001, ls-1: 26002}, "
        "roles: [staff], logins: [{issuer: 'https://login.example.org', subject: 'anna@id'}, "
        "{issuer: 'https://umbrella.example.org', subject: 'eaa-1'}]}"
    )
    table = AccountTable(written(tmp_path, person))
    account = await table.account_of(Identity(ISSUER, "anna@id"))
    assert (account.name, account.uid, account.gid, account.groups) == ("anna", 25001, 25001, (26001, 26002))
    assert (account.group_names, account.roles) == ({26001: "ma-1", 26002: "ls-1"}, {"staff"})
    assert await table.account_of(Identity("https://umbrella.example.org", "eaa-1")) == account, "AL60: linked logins"


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(Identity(ISSUER, "nobody"), id="B2 unknown"),
        pytest.param(Identity(ISSUER + "/", "anna"), id="F2 the issuer with a slash"),
        pytest.param(Identity("https://LOGIN.example.org", "anna"), id="F2 the issuer in capitals"),
        pytest.param(Identity("https://evil.example.org", "anna"), id="F7 same subject, other issuer"),
        pytest.param(Identity(ISSUER, "Anna"), id="C1 capitals"),
        pytest.param(Identity(ISSUER, "anna\0"), id="A2 NUL"),
        pytest.param(Identity(ISSUER, ""), id="empty"),
        pytest.param(Identity("", ""), id="nothing"),
    ],
)
async def test_nobody_else_has_an_account(tmp_path: Path, identity: Identity) -> None:
    """B2: and no default is put in its place."""
    with pytest.raises(NoAccount, match="no account"):
        await AccountTable(written(tmp_path, ANNA, BEN)).account_of(identity)


@pytest.mark.parametrize(
    ("people", "words"),
    [
        pytest.param((ANNA, BEN.replace("25002, gid", "25001, gid")), "uid 25001", id="B3 one uid, two people"),
        pytest.param((ANNA, BEN.replace("subject: ben", "subject: anna")), "twice", id="B4 one login, two accounts"),
        pytest.param((ANNA, ANNA), "twice", id="B4 the same entry twice"),
        pytest.param(
            (ANNA, BEN.replace("name: ben", "name: anna")), "anna", id="B4 one name, two uids: they would share a home"
        ),
        pytest.param((ANNA.replace("25001, gid", "'25001', gid"),), "uid", id="B1 text for a uid"),
        pytest.param((ANNA.replace("25001, gid", "true, gid"),), "uid", id="B1 true for a uid"),
        pytest.param((ANNA.replace("25001, gid", "1000.5, gid"),), "uid", id="B1 a fraction"),
        pytest.param((ANNA.replace("subject: anna", "subject: 7"),), "subject", id="G2 a subject that is a number"),
        pytest.param((ANNA.replace("subject: anna", "subject: ''"),), "subject", id="an empty subject"),
        pytest.param((ANNA.replace("subject: anna", "subject: " + "a" * 256),), "subject", id="a subject too long"),
        pytest.param(("{name: anna, uid: 25001, gid: 25001, logins: []}",), "logins", id="nobody can be it"),
        pytest.param(("{name: anna, uid: 25001, logins: [{issuer: i, subject: s}]}",), "gid", id="no gid, no default"),
        pytest.param((ANNA.replace("gid: 25001", "gid: 25001, sudo: true"),), "sudo", id="an unknown key"),
    ],
)
def test_configuration_errors_are_reported_at_startup(tmp_path: Path, people: tuple[str, ...], words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        AccountTable(written(tmp_path, *people))


def test_a_file_that_is_missing_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no such file"):
        AccountTable(tmp_path / "accounts.yaml")


async def test_an_edit_needs_no_restart(tmp_path: Path) -> None:
    """D6: who is taken out of the table is out at the next question."""
    table = AccountTable(written(tmp_path, ANNA))
    with pytest.raises(NoAccount):
        await table.account_of(Identity(ISSUER, "ben"))
    written(tmp_path, ANNA, BEN)
    assert (await table.account_of(Identity(ISSUER, "ben"))).uid == 25002
    written(tmp_path, BEN)
    with pytest.raises(NoAccount):
        await table.account_of(Identity(ISSUER, "anna"))


@pytest.mark.parametrize("harm", ["gone", "broken", "empty", "not utf-8"])
async def test_a_file_that_breaks_while_the_portal_runs_grants_nothing(tmp_path: Path, harm: str) -> None:
    """D7: the contract of a source: SourceUnavailable, "nothing may be concluded"; and it heals by itself."""
    file = written(tmp_path, ANNA)
    table = AccountTable(file)
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes({"broken": b"accounts: [", "empty": b"", "not utf-8": b"\xff\xfe\xff"}[harm])
    for _ in range(2):
        with pytest.raises(SourceUnavailable) as raised:
            await table.account_of(Identity(ISSUER, "anna"))
        assert str(tmp_path) not in str(raised.value), "a user may read it: no path of the server"
    written(tmp_path, ANNA, BEN)
    assert (await table.account_of(Identity(ISSUER, "anna"))).uid == 25001


@pytest.mark.parametrize("written_as", ["2026-12-31", "'2026-12-31'"])
async def test_an_account_with_an_end_date(tmp_path: Path, written_as: str) -> None:
    table = AccountTable(written(tmp_path, ANNA.replace("logins", f"valid_until: {written_as}, logins"), BEN))
    assert (await table.account_of(Identity(ISSUER, "anna"))).ends == (datetime.date(2026, 12, 31),)
    assert (await table.account_of(Identity(ISSUER, "ben"))).ends == ()


@pytest.mark.parametrize("written_as", ["soon", "20261231", "''", "true", "31.12.2026"])
def test_an_end_date_that_cannot_be_read(tmp_path: Path, written_as: str) -> None:
    with pytest.raises(DocumentError, match="valid_until"):
        AccountTable(written(tmp_path, ANNA.replace("logins", f"valid_until: {written_as}, logins")))
