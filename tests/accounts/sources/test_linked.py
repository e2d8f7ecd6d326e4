"""Logins that people connected with the account they had (AL60): what is kept, and what it is good for later."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.agreement import AgreeingSources
from daas_hub.accounts.sources.link_store import Link, LinkStore, TooManyLinks
from daas_hub.accounts.sources.linked import LinkedSource
from daas_hub.errors import AccountRefused, NoAccount, SourceUnavailable
from tests.accounts.directory import (
    ACCOUNT,
    ANNA,
    ISSUER,
    PASSWORDS,
    Directory,
)


@pytest.fixture
def store(tmp_path: Path) -> LinkStore:
    return LinkStore(tmp_path / "private" / "links.sqlite", max_per_account=3, clock=lambda: 1_790_000_000.0)


def linked(store: LinkStore, directory: Directory) -> LinkedSource:
    source = LinkedSource(store)
    source.use_sources(directory)
    return source


async def connect(store: LinkStore, subject: str, name: str, uid: int) -> Link:
    return await store.connect(Identity(ISSUER, subject), Identity(PASSWORDS, name), name, uid)


async def test_nothing_is_made_by_asking(store: LinkStore) -> None:
    assert await store.link_of(ISSUER, "anna") is None
    assert await store.all_links() == ()
    assert not await store.remove(ISSUER, "anna")
    assert not store.path.parent.exists()


async def test_a_link_is_found_by_its_exact_login(store: LinkStore) -> None:
    await connect(store, "Anna", "anna", 25001)
    link = await store.link_of(ISSUER, "Anna")
    assert link is not None
    assert (link.account, link.uid, link.made_at) == ("anna", 25001, 1_790_000_000.0)
    others = ["anna", "Anna ", "%", "' OR 1=1 --", ""]
    for issuer, subject in [(f"{ISSUER}/", "Anna"), ("", "Anna"), *((ISSUER, one) for one in others)]:
        assert await store.link_of(issuer, subject) is None, (issuer, subject)


async def test_a_login_has_one_account_and_an_account_several_logins(store: LinkStore) -> None:
    await connect(store, "a", "anna", 25001)
    await connect(store, "a", "ben", 25002)
    await connect(store, "b", "ben", 25002)
    assert await store.links_of("anna", 25001) == ()
    assert [one.subject for one in await store.links_of("ben", 25002)] == ["a", "b"]
    # an account of that name with another number is somebody else's
    assert await store.links_of("ben", 9999) == ()


async def test_the_limit_of_links_per_account_holds_concurrently(store: LinkStore) -> None:
    made = await asyncio.gather(
        *(connect(store, f"s{number}", "anna", 25001) for number in range(12)), return_exceptions=True
    )
    assert sum(isinstance(one, TooManyLinks) for one in made) == 9
    assert len(await store.all_links()) == 3
    # what is there already can be made again
    first = (await store.all_links())[0]
    await connect(store, first.subject, "anna", 25001)


async def test_removing_looks_at_whose_it_is(store: LinkStore) -> None:
    await connect(store, "a", "anna", 25001)
    assert not await store.remove(ISSUER, "a", account="ben")
    assert await store.remove(ISSUER, "a", account="anna")
    assert await store.link_of(ISSUER, "a") is None


async def test_only_the_hub_can_read_it_and_no_secret_is_in_it(store: LinkStore) -> None:
    await connect(store, "a", "anna", 25001)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    columns = [row[1] for row in sqlite3.connect(store.path).execute("PRAGMA table_info(links)")]
    assert columns == ["issuer", "subject", "as_issuer", "as_subject", "account", "uid", "made_at"]


def spoil_mode(path: Path) -> None:
    path.chmod(0o644)


def spoil_content(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be looked at as one" * 20)


def spoil_form(path: Path) -> None:
    with sqlite3.connect(path) as links:
        links.execute("PRAGMA user_version = 7")


def spoil_by_link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


@pytest.mark.parametrize("spoil", [spoil_mode, spoil_content, spoil_form, spoil_by_link])
async def test_a_file_that_cannot_be_trusted_is_not_read(store: LinkStore, spoil: object) -> None:
    await connect(store, ANNA.subject, "anna", 25001)
    spoil(store.path)  # type: ignore[operator]
    for question in (
        store.link_of(ISSUER, ANNA.subject), store.all_links(), connect(store, "b", "anna", 25001),
        store.remove(ISSUER, ANNA.subject), linked(store, Directory(ACCOUNT)).account_of(ANNA),
    ):  # fmt: skip
        with pytest.raises(SourceUnavailable) as problem:
            await question
        assert str(store.path) in problem.value.detail
        assert str(store.path) not in str(problem.value), "it is shown to people"


async def test_a_linked_login_has_the_current_account_of_the_directory(store: LinkStore) -> None:
    directory = Directory(ACCOUNT)
    source = linked(store, directory)
    with pytest.raises(NoAccount):
        await source.account_of(ANNA)
    await connect(store, ANNA.subject, "anna", 25001)
    assert await source.account_of(ANNA) == ACCOUNT
    directory.accounts["anna"] = Account("anna", 25001, 25001, groups=(26001,))
    assert (await source.account_of(ANNA)).groups == (26001,)


async def test_a_reassigned_account_name_is_refused(store: LinkStore) -> None:
    directory = Directory(Account("anna", 25777, 25777))
    await connect(store, ANNA.subject, "anna", 25001)
    with pytest.raises(NoAccount, match="has been reassigned") as refusal:
        await linked(store, directory).account_of(ANNA)
    # it may be connected again: it is none, and not one that is closed
    assert not isinstance(refusal.value, AccountRefused)


async def test_an_account_with_another_name_is_refused(store: LinkStore) -> None:
    directory = Directory()
    directory.accounts["anna"] = Account("root", 25001, 25001)
    await connect(store, ANNA.subject, "anna", 25001)
    with pytest.raises(NoAccount):
        await linked(store, directory).account_of(ANNA)


@pytest.mark.parametrize("problem", [SourceUnavailable("down"), AccountRefused("locked")])
async def test_what_the_directory_says_is_passed_on(store: LinkStore, problem: Exception) -> None:
    directory = Directory(ACCOUNT)
    directory.problem = problem
    await connect(store, ANNA.subject, "anna", 25001)
    with pytest.raises(type(problem)):
        await linked(store, directory).account_of(ANNA)


async def test_all_sources_must_agree(store: LinkStore) -> None:
    class Claims:
        async def account_of(self, identity: Identity) -> Account:
            return Account("ben", 25002, 25002)

    directory = Directory(ACCOUNT)
    source = linked(store, directory)
    await connect(store, ANNA.subject, "anna", 25001)
    assert await AgreeingSources({"ldap": directory, "links": source}).account_of(ANNA) == ACCOUNT
    with pytest.raises(AccountRefused, match="disagree"):
        await AgreeingSources({"ldap": directory, "links": source, "claims": Claims()}).account_of(ANNA)
    del directory.accounts["anna"]
    with pytest.raises(NoAccount, match="no longer exists"):
        await AgreeingSources({"ldap": directory, "links": source}).account_of(ANNA)


async def test_an_unfinished_file_has_no_links(store: LinkStore) -> None:
    """The hub died, or the disk was full, between the file and its table: nobody's login waits for that."""
    store.path.parent.mkdir(mode=0o700)
    store.path.touch(mode=0o600)
    assert await store.link_of(ISSUER, "a") is None
    assert await store.all_links() == ()
    assert not await store.remove(ISSUER, "a")
    await connect(store, "a", "anna", 25001)
    assert [one.subject for one in await store.all_links()] == ["a"]


async def test_a_folder_that_others_can_change_is_not_trusted(store: LinkStore) -> None:
    await connect(store, "a", "anna", 25001)
    store.path.parent.chmod(0o777)
    with pytest.raises(SourceUnavailable) as problem:
        await store.link_of(ISSUER, "a")
    assert "chmod 700" in problem.value.detail


async def test_the_directorys_conditions_hold_for_connected_logins(store: LinkStore) -> None:
    """A condition of the directory's filter, say: the other source is asked about the login it knows."""
    directory = Directory(ACCOUNT)
    await connect(store, ANNA.subject, "anna", 25001)
    directory.issuers = frozenset()
    with pytest.raises(NoAccount):
        await linked(store, directory).account_of(ANNA)
