"""Accounts from a directory, asked of a real slapd with 2,000 people: who is found, and what is never taken for it.

SO07, R06, ES20; B1, B2, B4, C1 of the threat model. Entries without a server are in test_entries.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.model import AccountFields
from daas_hub.accounts.sources.ldap.connection import Search, Server
from daas_hub.accounts.sources.ldap.searches import Searches
from daas_hub.accounts.sources.ldap.settings import LdapAccounts
from daas_hub.accounts.sources.ldap.source import LdapSource
from daas_hub.errors import AccountRefused, ConfigurationError, NoAccount, SourceUnavailable
from daas_hub.facility import Facility
from tests.not_tried import missing
from tests.stand_ins.directory import (
    READER,
    READER_PASSWORD,
    SLAPD,
    SUFFIX,
    Directory,
    dn_of,
    group_of_names,
    make_directory,
    person,
    posix_group,
    referral,
)

ISSUER = "https://login.example.org"
CROWD = 2000

PEOPLE = [
    *(person(f"p{number}", 30000 + number) for number in range(CROWD)),
    person(
        "anna",
        25001,
        displayName="Anna Lindqvist",
        departmentNumber="25001|25002",
        mail="anna@id.example.org",
        memberOf="|".join(f"cn={name},ou=groups,{SUFFIX}" for name in ("daas-admins", "id21", "gone")),
    ),
    person("ben", 25002, gid=100, displayName="Ben"),
    person("twin", 25003),
    person("twin", 25004),
    person("Carla", 25005),
    person("root2", 0),
    person("file", 25007),
    person("a b", 25008),
    person("star*", 25009, mail="star"),
    person("hidden", 25010, under="private"),
    person("busy", 25011),
]
GROUPS = [
    posix_group("ma-4242", 26001, ["anna", "ben"]),
    posix_group("ls-1007", 26002, ["anna"]),
    posix_group("wheel", 0, ["ben"]),
    *(posix_group(f"g{number}", 40000 + number, ["busy"]) for number in range(40)),
    group_of_names("daas-admins", [dn_of("anna", 25001)]),
    group_of_names("id21", [dn_of("anna", 25001)], 26100),
]


def _needed() -> None:
    if SLAPD is None or importlib.util.find_spec("ldap3") is None:
        missing("ldap", "slapd (the Debian package) or the library ldap3 is not installed")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """A directory with everybody in it."""
    _needed()
    directory = make_directory(tmp_path_factory.mktemp("crowd"), [*PEOPLE, *GROUPS, referral("ldap://127.0.0.1:9/")])
    directory.start()
    yield directory
    directory.stop()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Directory]:
    """A directory of one person that a test may pause and end."""
    _needed()
    directory = make_directory(tmp_path, [person("anna", 25001)])
    directory.start()
    yield directory
    directory.stop()


Sources = Callable[..., LdapSource]


@pytest.fixture
def sources() -> Iterator[Sources]:
    """Build sources from settings, as the configuration does, and close them."""
    made: list[LdapSource] = []

    def build(directory: Directory, **settings: Any) -> LdapSource:
        config = Config()
        config.LdapAccounts = Config(
            {
                "servers": [directory.tls],
                "ca_file": directory.ca,
                "issuers": [ISSUER],
                "person_base": f"ou=people,{SUFFIX}",
                "group_base": f"ou=groups,{SUFFIX}",
            }
            | settings
        )
        source = LdapAccounts(config=config).source()
        assert isinstance(source, LdapSource)
        made.append(source)
        return source

    yield build
    for source in made:
        source.close()


def who(subject: str, issuer: str = ISSUER, **claims: Any) -> Identity:
    return Identity(issuer, subject, "Chosen by the person", claims)


# -- who is found --------------------------------------------------------------------------------------------------

ANNA = Account("anna", 25001, 25001, (26001, 26002), {26001: "ma-4242", 26002: "ls-1007"}, "Anna Lindqvist")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="over TLS"),
        pytest.param({"servers": ["plain"]}, id="StartTLS"),
        pytest.param({"servers": ["plain"], "start_tls": False}, id="in the clear, on this machine"),
        pytest.param({"bind_dn": READER, "password_file": "password"}, id="with a bind"),
        pytest.param({"person_filter": "(&(objectClass=posixAccount)(mail={claim.email}))"}, id="by a claim"),
        pytest.param({"person_filter": "(mail={subject}@id.example.org)"}, id="by a part of an attribute"),
    ],
)
async def test_an_account_with_all_it_has(
    crowd: Directory, sources: Sources, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """SO07, R06."""
    if "servers" in settings:
        settings = settings | {"servers": [crowd.plain]}
    if "password_file" in settings:
        file = tmp_path / "password"
        file.write_text(f"{READER_PASSWORD}\n")
        file.chmod(0o600)
        settings = settings | {"password_file": str(file)}
    account = await sources(crowd, **settings).account_of(who("anna", email="anna@id.example.org"))
    assert account == ANNA
    assert account.group_names == ANNA.group_names
    assert account.memberships == {"ma-4242", "ls-1007"}


@pytest.mark.parametrize(
    ("settings", "groups", "names"),
    [
        pytest.param({"group_base": ""}, (), set(), id="none looked for"),
        pytest.param(
            {"group_filter": "(&(objectClass=groupOfNames)(member={dn}))"},
            (26100,),
            {"id21", "daas-admins"},
            id="groupOfNames, one of them without a number",
        ),
        pytest.param(
            {"group_base": "", "member_of_attribute": "memberOf"}, (26100,), {"id21", "daas-admins"}, id="memberOf"
        ),
        pytest.param(
            {"group_filter": "(|(memberUid={account})(member={dn}))"},
            (26001, 26002, 26100),
            {"ma-4242", "ls-1007", "id21", "daas-admins"},
            id="both kinds",
        ),
    ],
)
async def test_groups(
    crowd: Directory, sources: Sources, settings: dict[str, Any], groups: tuple[int, ...], names: set[str]
) -> None:
    account = await sources(crowd, **settings).account_of(who("anna"))
    assert (account.groups, account.memberships) == (groups, names)


async def test_everybody_at_once(crowd: Directory, sources: Sources) -> None:
    """Two thousand people, each with their own number, over four connections."""
    source = sources(crowd, group_base="", timeout_s=60.0)
    accounts = await asyncio.gather(*(source.account_of(who(f"p{number}")) for number in range(CROWD)))
    assert [account.uid for account in accounts] == [30000 + number for number in range(CROWD)]


async def test_an_account_by_its_name(crowd: Directory, sources: Sources) -> None:
    """AL51: accounts of proposals are looked up by name, whoever is logged in."""
    source = sources(crowd)
    assert await source.account_named("anna") == ANNA
    for name in ("Anna", "nobody", "a*", "*", "anna)(uid=*"):
        with pytest.raises(NoAccount):
            await source.account_named(name)


# -- who is not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(who("nobody"), id="B2 unknown"),
        pytest.param(who("anna", "https://evil.example.org"), id="F7 same subject, other issuer"),
        pytest.param(who("anna", ISSUER + "/"), id="F2 the issuer with a slash"),
        pytest.param(who("*"), id="a star"),
        pytest.param(who("ann*"), id="the beginning and a star"),
        pytest.param(who("anna)(uid=*"), id="another condition"),
        pytest.param(who(")(uid=*"), id="an empty condition and another"),
        pytest.param(who("anna))(|(uid=ben"), id="an or"),
        pytest.param(who("\\61nna"), id="a letter as the filter's own escape"),
        pytest.param(who("anna "), id="C1 a blank at the end"),
        pytest.param(who(" anna"), id="C1 a blank in front"),
        pytest.param(who("a  b"), id="C1 two blanks for one"),
        pytest.param(who("ａnna"), id="C1 a full-width letter"),
        pytest.param(who("аnna"), id="C1 a Cyrillic letter"),
        pytest.param(who("ﬁle"), id="C1 a ligature"),
        pytest.param(who("an\u00adna"), id="C1 a soft hyphen"),
        pytest.param(who("anna\0"), id="A2 NUL"),
        pytest.param(who("anna\0ben"), id="A2 NUL in between"),
        pytest.param(who("anna\n"), id="A2 a new line"),
        pytest.param(who("anna\udc80"), id="A2 half a character"),
        pytest.param(who(""), id="nothing"),
        pytest.param(who("a" * 1001), id="too long"),
        pytest.param(who("hidden"), id="outside the base"),
    ],
)
async def test_nobody_else_has_an_account(crowd: Directory, sources: Sources, identity: Identity) -> None:
    """B2, C1: a directory compares loosely; the portal does not."""
    with pytest.raises(NoAccount) as refused:
        await sources(crowd).account_of(identity)
    assert not isinstance(refused.value, AccountRefused)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        pytest.param("Anna", "anna", id="C1 capitals"),
        pytest.param("ANNA", "anna", id="C1 all capitals"),
        pytest.param("carla", "Carla", id="C1 small letters for a capital one"),
    ],
)
async def test_capitals_match_where_the_directory_folds_them(
    crowd: Directory, sources: Sources, subject: str, name: str
) -> None:
    """A provider writes names in small letters, the directory does not; its spelling is the account's name."""
    assert (await sources(crowd).account_of(who(subject))).name == name
    with pytest.raises(NoAccount):
        await sources(crowd, case_sensitive=True).account_of(who(subject))
    assert (await sources(crowd, case_sensitive=True).account_of(who(name))).name == name
    with pytest.raises(NoAccount):
        await sources(crowd).account_named(subject)


async def test_the_directory_itself_ignores_the_difference(crowd: Directory, sources: Sources) -> None:
    """The table above can fail: slapd does find Anna for these, and only the exact comparison refuses them."""
    from daas_hub.accounts.sources.ldap.entries import escape

    source = sources(crowd)
    for loose in ("Anna", "anna ", " anna", "ａnna"):
        search = Search(f"ou=people,{SUFFIX}", f"(uid={escape(loose)})", ("uid",), 2)
        servers = source._servers
        found = await asyncio.to_thread(servers.ask, lambda ask, search=search: ask(search), time.monotonic() + 30)
        assert [entry.values("uid") for entry in found.entries] == [(b"anna",)], loose


@pytest.mark.parametrize(
    ("subject", "settings", "words"),
    [
        pytest.param("twin", {}, "more than one account", id="B4 two entries"),
        pytest.param("anna", {"uid_attribute": "departmentNumber"}, "2 values of departmentNumber", id="two numbers"),
        pytest.param("anna", {"gid_attribute": "roomNumber"}, "0 values of roomNumber", id="no main group"),
        pytest.param("anna", {"uid_attribute": "mail"}, "mail is not a number", id="a number that is none"),
    ],
)
async def test_entries_that_cannot_be_used(
    crowd: Directory, sources: Sources, subject: str, settings: dict[str, Any], words: str
) -> None:
    """B1, B4: refused in words, and not taken for "unknown"."""
    with pytest.raises(AccountRefused, match=words) as refused:
        await sources(crowd, **settings).account_of(who(subject))
    assert SUFFIX not in str(refused.value)


@pytest.mark.parametrize(
    ("subject", "words"),
    [("root2", "uid 0"), ("ben", "gid 100"), ("a b", "Unix user name"), ("star*", "valid Unix user name")],
)
async def test_what_no_session_may_run_as(crowd: Directory, tmp_path: Path, subject: str, words: str) -> None:
    """B1: the numbers are the directory's, the allowed range is the portal's."""
    (tmp_path / "proposals.yaml").write_text("proposals: []\n")
    config = Config()
    config.Facility.accounts = "ldap"
    config.Facility.proposals_file = str(tmp_path / "proposals.yaml")
    config.LdapAccounts.servers = [crowd.tls]
    config.LdapAccounts.ca_file = crowd.ca
    config.LdapAccounts.issuers = [ISSUER]
    config.LdapAccounts.person_base = f"ou=people,{SUFFIX}"
    config.LdapAccounts.display_name_attribute = "cn"
    facility = Facility(config=config)
    assert (await facility.account_of(who("anna"))).display_name == "anna 25001"
    with pytest.raises(NoAccount, match=words):
        await facility.account_of(who(subject))
    cast(LdapSource, facility._accounts).close()


# -- answers that are not whole ------------------------------------------------------------------------------------


async def test_a_referral_is_no_answer(crowd: Directory, sources: Sources) -> None:
    """Nothing may be concluded from "ask somebody else", and nobody else is asked."""
    source = sources(crowd, person_base=SUFFIX)
    for subject in ("anna", "nobody"):
        with pytest.raises(SourceUnavailable, match="incomplete answer"):
            await source.account_of(who(subject))
    with pytest.raises(SourceUnavailable, match="incomplete answer"):
        await sources(crowd, person_base=f"ou=branch,ou=elsewhere,{SUFFIX}").account_of(who("anna"))


async def test_more_groups_than_one_may_have_are_not_cut_off(crowd: Directory, sources: Sources) -> None:
    assert len((await sources(crowd, max_groups=40).account_of(who("busy"))).groups) == 40
    with pytest.raises(SourceUnavailable, match="all your groups"):
        await sources(crowd, max_groups=39).account_of(who("busy"))


async def test_a_server_that_gives_only_some_entries(tmp_path: Path, sources: Sources) -> None:
    """The server's own limit: two of three groups would be a smaller account."""
    _needed()
    groups = [posix_group(f"g{number}", 40000 + number, ["anna"]) for number in range(3)]
    directory = make_directory(tmp_path, [person("anna", 25001), *groups], limits="sizelimit 2")
    directory.start()
    try:
        with pytest.raises(SourceUnavailable, match="all your groups"):
            await sources(directory).account_of(who("anna"))
    finally:
        directory.stop()


async def test_a_server_that_limits_answers_and_returns_pages(tmp_path: Path, sources: Sources) -> None:
    """RFC 2696: all 700 groups, although no answer has more than 500."""
    _needed()
    groups = [posix_group(f"m{number}", 41000 + number, ["many"]) for number in range(700)]
    limits = "sizelimit size.soft=500 size.hard=500 size.prtotal=unlimited"
    directory = make_directory(tmp_path, [person("many", 25002), *groups], limits=limits)
    directory.start()
    try:
        assert len((await sources(directory).account_of(who("many"))).groups) == 700
        with pytest.raises(SourceUnavailable, match=r"more than 699, .*max_groups") as refused:
            await sources(directory, max_groups=699).account_of(who("many"))
        assert "Trying again does not help" in str(refused.value)
    finally:
        directory.stop()


async def test_several_search_bases(crowd: Directory, sources: Sources) -> None:
    """People and groups in several branches; an entry that is below two bases counts once."""
    people = [f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}", f"cn=anna 25001,ou=people,{SUFFIX}"]
    groups = [f"ou=groups,{SUFFIX}", f"cn=ma-4242,ou=groups,{SUFFIX}"]
    assert await sources(crowd, person_base=people, group_base=groups).account_of(who("anna")) == ANNA
    with pytest.raises(NoAccount):
        await sources(crowd, person_base=people[1:2]).account_of(who("anna"))


async def test_referrals_to_partitions_without_people_may_be_ignored(crowd: Directory, sources: Sources) -> None:
    """The root of an Active Directory refers to three of them, in every answer."""
    assert await sources(crowd, person_base=SUFFIX, ignored_referrals=["OU=Branch"]).account_of(who("anna")) == ANNA
    for other in ("ou=bran", "ou=elsewhere", ""):
        with pytest.raises(SourceUnavailable, match="incomplete answer"):
            await sources(crowd, person_base=SUFFIX, ignored_referrals=[other]).account_of(who("anna"))


async def test_a_missing_search_base_is_not_an_unknown_account(crowd: Directory, sources: Sources) -> None:
    with pytest.raises(SourceUnavailable):
        await sources(crowd, person_base=f"ou=poeple,{SUFFIX}").account_of(who("anna"))


async def test_a_password_that_is_wrong(
    crowd: Directory, sources: Sources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is concluded, the administrator reads why, and nobody reads the password."""
    file = tmp_path / "password"
    file.write_text("not-the-password")
    file.chmod(0o600)
    with pytest.raises(SourceUnavailable) as raised:
        await sources(crowd, bind_dn=READER, password_file=str(file)).account_of(who("anna"))
    assert "invalidCredentials" in caplog.text
    assert "not-the-password" not in caplog.text + str(raised.value)


async def test_what_only_the_bind_may_see(crowd: Directory, sources: Sources, tmp_path: Path) -> None:
    """The bind is really made: without it these people are not there."""
    file = tmp_path / "password"
    file.write_text(READER_PASSWORD)
    file.chmod(0o600)
    bound = sources(crowd, person_base=f"ou=private,{SUFFIX}", bind_dn=READER, password_file=str(file))
    assert (await bound.account_of(who("hidden"))).uid == 25010
    with pytest.raises((NoAccount, SourceUnavailable)):
        await sources(crowd, person_base=f"ou=private,{SUFFIX}").account_of(who("hidden"))


# -- certificates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["tls", "plain"])
@pytest.mark.parametrize(
    ("host", "expired", "stranger", "words"),
    [
        pytest.param("127.0.0.1", False, False, "", id="good"),
        pytest.param("127.0.0.1", True, False, "expired", id="expired"),
        pytest.param("ldap.facility.org", False, False, "127.0.0.1", id="another host's"),
        pytest.param("127.0.0.1", False, True, "verify failed", id="a stranger's"),
    ],
)
async def test_certificates(
    tmp_path: Path,
    sources: Sources,
    caplog: pytest.LogCaptureFixture,
    address: str,
    host: str,
    expired: bool,
    stranger: bool,
    words: str,
) -> None:
    """TLS and StartTLS: a server that cannot prove who it is is not asked."""
    _needed()
    directory = make_directory(tmp_path, [person("anna", 25001)], host=host, expired=expired)
    directory.start()
    try:
        settings: dict[str, Any] = {"servers": [getattr(directory, address)]}
        if stranger:
            settings["ca_file"] = ""
        source = sources(directory, **settings)
        if not words:
            assert (await source.account_of(who("anna"))).uid == 25001
            return
        with pytest.raises(SourceUnavailable):
            await source.account_of(who("anna"))
        assert words in caplog.text
    finally:
        directory.stop()


# -- servers that are down, or hang --------------------------------------------------------------------------------


#: How long an operation may take where a server hangs: long enough for a good answer of another on a busy machine.
OPERATION_S = 2.0


class Ticks:
    """Measures the longest time the loop was kept from a task that wants to run every hundredth of a second."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def __aenter__(self) -> Ticks:
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(0.05)
        self.longest_s = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _tick(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            self.longest_s, last = max(self.longest_s, now - last), now


@pytest.mark.parametrize("address", ["tls", "plain"])
@pytest.mark.parametrize("connected", [True, False], ids=["in a conversation", "at the first word"])
async def test_a_hanging_directory_does_not_block_the_event_loop(
    small: Directory, sources: Sources, address: str, connected: bool
) -> None:
    """The hub's other users notice nothing: slapd is stopped with SIGSTOP, its ports still take connections."""
    source = sources(small, servers=[getattr(small, address)], operation_timeout_s=OPERATION_S, timeout_s=60.0)
    if connected:
        await source.account_of(who("anna"))
    with small.paused():
        async with Ticks() as ticks:
            started = time.monotonic()
            with pytest.raises(SourceUnavailable):
                await source.account_of(who("anna"))
            took_s = time.monotonic() - started
    assert OPERATION_S - 0.1 < took_s < 30, "the thread itself gave up, long before the look-up's end"
    assert ticks.longest_s < OPERATION_S
    assert (await source.account_of(who("anna"))).uid == 25001, "and it heals by itself"


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
async def test_a_server_that_takes_connections_and_never_answers(
    small: Directory, sources: Sources, scheme: str
) -> None:
    """The next one is asked, and is asked first from then on."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        port = silent.getsockname()[1]
        source = sources(small, servers=[f"{scheme}://127.0.0.1:{port}", small.tls], operation_timeout_s=OPERATION_S)
        assert (await source.account_of(who("anna"))).uid == 25001
        silent.accept()[0].close()
        assert (await source.account_of(who("anna"))).uid == 25001
        with pytest.raises(BlockingIOError):
            silent.accept()


async def test_a_server_that_hangs_in_a_conversation_is_replaced(
    small: Directory, crowd: Directory, sources: Sources, tmp_path: Path
) -> None:
    """Failover leaves time for the second server, also with as many questions as there are threads."""
    both = tmp_path / "both.pem"
    both.write_text(small.authority + crowd.authority)
    source = sources(
        small, servers=[small.tls, crowd.tls], ca_file=str(both), operation_timeout_s=OPERATION_S, max_connections=2
    )
    await asyncio.gather(*(source.account_of(who("anna")) for _ in range(4)))
    with small.paused():
        accounts = await asyncio.gather(*(source.account_of(who("anna")) for _ in range(4)))
        assert {account.display_name for account in accounts} == {"Anna Lindqvist"}


async def test_a_server_that_answers_with_rubbish(small: Directory, sources: Sources) -> None:
    def answer(server: socket.socket) -> None:
        try:
            while True:
                connection, _ = server.accept()
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as rubbish:
        thread = threading.Thread(target=answer, args=(rubbish,), daemon=True)
        thread.start()
        port = rubbish.getsockname()[1]
        for address, start_tls in ((f"ldaps://127.0.0.1:{port}", True), (f"ldap://127.0.0.1:{port}", False)):
            source = sources(small, servers=[address], start_tls=start_tls, operation_timeout_s=1.0, timeout_s=3.0)
            with pytest.raises(SourceUnavailable):
                await source.account_of(who("anna"))
        rubbish.shutdown(socket.SHUT_RDWR)
    thread.join(30)
    assert not thread.is_alive()


async def test_a_server_that_was_restarted_is_found_again(small: Directory, sources: Sources) -> None:
    source = sources(small)
    await source.account_of(who("anna"))
    small.stop()
    with pytest.raises(SourceUnavailable):
        await source.account_of(who("anna"))
    small.start()
    assert (await source.account_of(who("anna"))).uid == 25001
    small.stop()
    small.start()
    assert (await source.account_of(who("anna"))).uid == 25001, "a connection that broke meanwhile is opened anew"


async def test_a_second_server_takes_over(small: Directory, crowd: Directory, sources: Sources, tmp_path: Path) -> None:
    """Failover, with both servers known by one authority file."""
    both = tmp_path / "both.pem"
    both.write_text(small.authority + crowd.authority)
    source = sources(small, servers=[small.tls, crowd.tls], ca_file=str(both), group_base="")
    assert (await source.account_of(who("anna"))).display_name == ""
    small.stop()
    assert (await source.account_of(who("anna"))).display_name == "Anna Lindqvist"


# -- a directory that is left alone --------------------------------------------------------------------------------

ALARM = "times in a row"


class Clock:
    """The time, and what a test adds to it."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def levels(caplog: pytest.LogCaptureFixture, *words: str) -> list[int]:
    """Return the levels of the lines with one of these words."""
    return [one.levelno for one in caplog.records if any(word in one.getMessage() for word in words)]


@pytest.mark.parametrize("hangs", [False, True], ids=["stopped", "hanging"])
async def test_a_directory_that_is_down_is_not_asked_for_a_while(
    small: Directory, caplog: pytest.LogCaptureFixture, hangs: bool
) -> None:
    """D7: after five failures whoever logs in is told at once; one tries every ten seconds; one alarm, and one end."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    server = Server((small.tls, small.plain), ca_file=small.ca, operation_timeout_s=1.0, timeout_s=10.0)
    searches = Searches(
        f"ou=people,{SUFFIX}",
        "(&(objectClass=posixAccount)(uid={subject}))",
        AccountFields("uid", "uidNumber", "gidNumber", group_name="cn", group_gid="gidNumber"),
    )
    source = LdapSource(server, searches, frozenset({ISSUER}), clock)

    async def takes_s() -> float:
        started = time.monotonic()
        with pytest.raises(SourceUnavailable) as raised:
            await source.account_of(who("anna"))
        assert raised.value.remedy
        return time.monotonic() - started

    try:
        assert (await source.account_of(who("anna"))).uid == 25001
        with contextlib.ExitStack() as outage:
            if hangs:
                outage.enter_context(small.paused())
            else:
                small.stop()
                outage.callback(small.start)
            assert ALARM not in caplog.text
            took_s = [await takes_s() for _ in range(5)]
            assert ALARM in caplog.text
            asked = len(caplog.records)
            assert max([await takes_s() for _ in range(20)]) < 1
            assert len(caplog.records) == asked, "nobody was asked, and nothing more was told"
            clock.ahead_s += 10
            if hangs:
                assert min([*took_s, await takes_s()]) > 1.8, "both servers were waited for"
            else:
                await takes_s()
            assert len(caplog.records) > asked, "one tried"
        await takes_s()
        clock.ahead_s += 10
        assert (await source.account_of(who("anna"))).uid == 25001
        assert (await source.account_of(who("anna"))).uid == 25001
        assert levels(caplog, ALARM, "answers again") == [logging.ERROR, logging.WARNING]
        assert {one.levelno for one in caplog.records[asked:-1]} == {logging.INFO}, "the outage alarms once"
    finally:
        source.close()


@pytest.mark.parametrize(
    ("settings", "subject", "is_failure"),
    [
        pytest.param({}, "nobody", False, id="nobody's login"),
        pytest.param({}, "twin", False, id="B4 two entries"),
        pytest.param({"gid_attribute": "roomNumber"}, "anna", False, id="an entry that cannot be used"),
        pytest.param({"person_base": SUFFIX}, "anna", False, id="a part of an answer"),
        pytest.param({"max_groups": 39}, "busy", False, id="too many groups"),
        pytest.param({"person_base": f"ou=poeple,{SUFFIX}"}, "anna", False, id="a base that is not there"),
        pytest.param({"bind_dn": READER, "password": "wrong"}, "anna", False, id="it does not let the portal in"),
        pytest.param({"bind_dn": READER, "password": None}, "anna", False, id="a password's file that is gone"),
        pytest.param({"ca_file": ""}, "anna", True, id="a certificate that does not hold"),
        pytest.param({"servers": ["ldaps://127.0.0.1:9"]}, "anna", True, id="nobody there"),
    ],
)
async def test_what_leaves_a_directory_alone(
    crowd: Directory,
    sources: Sources,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
    subject: str,
    is_failure: bool,
) -> None:
    """An answer is no failure, whatever it says: one person's entry, or a wrong setting, shuts out nobody else."""
    file = tmp_path / "password"
    if "password" in settings:
        file.write_text(settings["password"] or READER_PASSWORD)
        file.chmod(0o600)
        settings = settings | {"password_file": str(file)}
    source = sources(crowd, **{name: value for name, value in settings.items() if name != "password"})
    if settings.get("password", "") is None:
        file.unlink()
    for _ in range(7):
        with pytest.raises((NoAccount, SourceUnavailable)):
            await source.account_of(who(subject))
    assert (ALARM in caplog.text) is is_failure


async def test_waiting_for_a_thread_is_no_failure(
    small: Directory, sources: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    """Many at once, while the one connection is held up: who had no turn says nothing about the directory."""
    source = sources(small, max_connections=1, operation_timeout_s=5.0, timeout_s=6.0)
    with small.paused():
        answers = await asyncio.gather(*(source.account_of(who("anna")) for _ in range(12)), return_exceptions=True)
    assert all(isinstance(one, SourceUnavailable) for one in answers)
    assert ALARM not in caplog.text
    assert (await source.account_of(who("anna"))).uid == 25001


# -- configurations that cannot work -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        pytest.param("servers", [], "is empty", id="is empty"),
        pytest.param("servers", ["ldap.facility.org"], "not the URL", id="no scheme"),
        pytest.param("servers", ["https://ldap.facility.org"], "not the URL", id="another scheme"),
        pytest.param("servers", ["ldaps://ldap.facility.org/dc=x"], "not the URL", id="a base in the address"),
        pytest.param("servers", ["ldaps://me:secret@ldap.facility.org"], "not the URL", id="a password in the address"),
        pytest.param("servers", ["ldap://[::1"], "not the URL", id="a bracket left open"),
        pytest.param("person_base", "", "not set", id="no base"),
        pytest.param("issuers", [], "any issuer", id="F7 no issuer"),
        pytest.param("ca_file", "/nowhere.pem", "no certificates", id="no authority"),
        pytest.param("ca_file", "/etc/passwd", "no certificates", id="a file of something else"),
        pytest.param("person_filter", "(uid=anna)", "everybody would get", id="a filter without a field"),
        pytest.param("person_filter", "uid={subject}", "parentheses", id="a filter without brackets"),
        pytest.param("person_filter", "(uid={subject}", "parentheses", id="a bracket left open"),
        pytest.param("person_filter", "(uid={sub})", "unknown field {sub}", id="an unknown field"),
        pytest.param("person_filter", "(uid={display_name})", "unknown field", id="F7 a name that may change"),
        pytest.param("person_filter", "(uid={subject}*)", "plain", id="a star"),
        pytest.param("person_filter", "(uid>={subject})", "plain", id="a comparison"),
        pytest.param("person_filter", "(uid:caseExactMatch:={subject})", "plain", id="a rule"),
        pytest.param("person_filter", "({claim.attribute}=x)", "plain", id="an attribute that is chosen"),
        pytest.param("person_filter", "(|(uid={subject})(mail={claim.email}))", "'or'", id="an or"),
        pytest.param("person_filter", "(!(uid={subject}))", "'not'", id="a not"),
        pytest.param("group_filter", "(objectClass=posixGroup)", "everybody", id="everybody's groups"),
        pytest.param("group_filter", "(memberUid={subject})", "unknown field", id="a field groups do not know"),
        pytest.param("account_filter", "(uid={account})", "unknown field", id="a field where none is"),
        pytest.param("bind_dn", READER, "password_file", id="a bind without a password"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(setting: str, value: Any, words: str) -> None:
    config = Config()
    good = {"servers": ["ldaps://ldap.facility.org"], "person_base": SUFFIX, "issuers": [ISSUER]}
    config.LdapAccounts = Config(good | {setting: value})
    with pytest.raises(ConfigurationError, match=words) as raised:
        LdapAccounts(config=config).source()
    assert raised.value.setting.startswith("LdapAccounts.")
    assert raised.value.remedy
    config.LdapAccounts = Config(good)
    LdapAccounts(config=config).source()


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("ldap://127.0.0.1:389", True),
        ("ldap://localhost", True),
        ("ldap://[::1]:389", True),
        ("ldap://127.0.0.1.example.org", False),
        ("ldap://ldap.facility.org", False),
        ("ldaps://ldap.facility.org", True),
    ],
)
def test_unencrypted_connections_over_a_network_are_refused(address: str, allowed: bool) -> None:
    config = Config()
    config.LdapAccounts = Config({"servers": [address], "person_base": SUFFIX, "issuers": [ISSUER], "start_tls": False})
    if allowed:
        LdapAccounts(config=config).source()
    else:
        with pytest.raises(ConfigurationError, match="unencrypted"):
            LdapAccounts(config=config).source()


@pytest.mark.parametrize(("text", "mode", "words"), [("secret", 0o640, "by others"), ("\n", 0o600, "one line of text")])
def test_passwords_that_are_never_sent(tmp_path: Path, text: str, mode: int, words: str) -> None:
    """An empty password binds as nobody, and succeeds: refused at the start."""
    file = tmp_path / "password"
    file.write_text(text)
    file.chmod(mode)
    config = Config()
    config.LdapAccounts = Config(
        {
            "servers": ["ldaps://ldap.facility.org"],
            "person_base": SUFFIX,
            "issuers": [ISSUER],
            "bind_dn": READER,
            "password_file": str(file),
        }
    )
    with pytest.raises(ConfigurationError, match=words) as raised:
        LdapAccounts(config=config).source()
    assert "secret'" not in str(raised.value)
