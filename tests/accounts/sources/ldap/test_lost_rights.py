"""A directory that shows the portal nothing any more is not one in which there is nobody, asked of a real slapd.

People keep their logins and proposals then: an empty answer is accepted only while the portal may see something.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.accounts.sources.ldap.settings import LdapAccounts
from daas_hub.accounts.sources.ldap.source import LdapSource
from daas_hub.errors import ErrorKind, NoAccount, SourceUnavailable
from daas_hub.proposals.sources.groups import GroupProposals
from tests.not_tried import missing
from tests.stand_ins.directory import (
    BASE,
    READER,
    READER_PASSWORD,
    SLAPD,
    SUFFIX,
    Directory,
    make_directory,
    person,
    posix_group,
)

ISSUER = "https://login.example.org"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ENTRIES = [person("anna", 25001), person("ben", 25002), posix_group("p12345", 26001, ["anna"])]
ANNA, BEN, NOBODY = (Identity(ISSUER, name) for name in ("anna", "ben", "nobody"))


@dataclass
class Scene:
    """A directory that can be changed, and the portal's source."""

    directory: Directory
    source: LdapSource

    def allow(self, rule: str) -> None:
        """Replace the directory's last rule of access, which lets everybody read."""
        self._restarted(lambda conf: conf.replace("access to * by * read", rule))

    def replace_entries(self, entries: list[str]) -> None:
        """Replace its entries."""

        def load(conf: str) -> str:
            folder = self.directory.folder
            shutil.rmtree(folder / "data")
            (folder / "data").mkdir()
            (folder / "entries.ldif").write_text("\n".join(entries))
            command = [folder / "slapd", "-T", "add", "-q", "-f", folder / "slapd.conf"]
            subprocess.run([*command, "-l", folder / "entries.ldif"], check=True, capture_output=True)
            return conf

        self._restarted(load)

    def _restarted(self, change: Callable[[str], str]) -> None:
        self.directory.stop()
        conf = self.directory.folder / "slapd.conf"
        conf.write_text(change(conf.read_text()))
        self.directory.start()

    async def proposals(self, who: Identity) -> list[str]:
        """Return the proposals that somebody's groups name."""
        source = GroupProposals(config=Config({"GroupProposals": {"pattern": "(?P<proposal>p[0-9]{5})"}}))
        return [one.id for one in await source.proposals_of(await self.source.account_of(who))]


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The directory, with the portal's settings in `request.param` in addition."""
    if SLAPD is None or importlib.util.find_spec("ldap3") is None:
        missing("ldap", "slapd (the Debian package) or the library ldap3 is not installed")
    directory = make_directory(tmp_path, ENTRIES)
    directory.start()
    settings: dict[str, Any] = {
        "servers": [directory.tls], "ca_file": directory.ca, "issuers": [ISSUER],
        "person_base": PEOPLE, "group_base": GROUPS,
    }  # fmt: skip
    if getattr(request, "param", "") == "with a bind":
        password = tmp_path / "password"
        password.touch(0o600)
        password.write_text(READER_PASSWORD)
        settings |= {"bind_dn": READER, "password_file": str(password)}
    source = LdapAccounts(config=Config({"LdapAccounts": settings})).source()
    try:
        yield Scene(directory, source)
    finally:
        source.close()
        directory.stop()


def without(*gone: str) -> list[str]:
    """Return all entries but those in whose DN one of these is."""
    return [one for one in [*BASE, *ENTRIES] if not [name for name in gone if name in one.split("\n")[0]]]


#: What happens to the directory, whether the portal binds, and of what kind the refusal is.
LOST = {
    "nothing is shown to an anonymous bind": (
        lambda scene: scene.allow(f'access to * by dn="{READER}" read'), "", None,
    ),
    "people are hidden": (
        lambda scene: scene.allow(f'access to dn.children="{PEOPLE}" by * none\naccess to * by * read'), "", None,
    ),
    "the attribute of logins is hidden": (
        lambda scene: scene.allow("access to attrs=uid by * none\naccess to * by * read"), "with a bind", None,
    ),
    "groups are hidden": (
        lambda scene: scene.allow(f'access to dn.children="{GROUPS}" by * none\naccess to * by * read'), "with a bind",
        None,
    ),
    "members are hidden": (
        lambda scene: scene.allow("access to attrs=memberUid by * none\naccess to * by * read"), "", None,
    ),
    "groups were moved": (lambda scene: scene.replace_entries(without("cn=p12345")), "with a bind", None),
    "the base of groups is gone": (
        lambda scene: scene.replace_entries(without("ou=groups")), "", ErrorKind.NO_SUCH_BASE,
    ),
    "the base of people is gone": (
        lambda scene: scene.replace_entries(without("ou=people")), "", ErrorKind.NO_SUCH_BASE,
    ),
    "the portal's password was changed": (
        lambda scene: scene.replace_entries([one.replace(READER_PASSWORD, "another") for one in [*BASE, *ENTRIES]]),
        "with a bind", ErrorKind.BIND_REFUSED,
    ),
    "the portal's entry is gone": (
        lambda scene: scene.replace_entries(without(READER)), "with a bind", ErrorKind.BIND_REFUSED,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind", "scene"),
    [pytest.param(change, kind, bind, id=name) for name, (change, bind, kind) in LOST.items()],
    indirect=["scene"],
)
async def test_what_the_portal_no_longer_sees_is_an_outage(
    scene: Scene, change: Callable[[Scene], None], kind: ErrorKind | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Not "no account", which would end logins and sessions, and not "no proposals"."""
    assert await scene.proposals(ANNA) == ["p12345"]
    change(scene)
    with pytest.raises(SourceUnavailable) as raised:
        await scene.proposals(ANNA)
    assert "not available at the moment" in str(raised.value)
    assert kind in (None, raised.value.kind)
    assert any(words in caplog.text for words in ("visible to the portal", "noSuchObject", "invalidCredentials"))
    assert READER_PASSWORD not in caplog.text


@pytest.mark.parametrize("scene", ["", "with a bind"], indirect=True)
async def test_nothing_is_believed_while_others_are_seen(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody unknown, and somebody without groups, also before anybody else was asked about."""
    caplog.set_level(logging.WARNING, "jupyterhub.daas")
    with pytest.raises(NoAccount):
        await scene.source.account_of(NOBODY)
    assert await scene.proposals(BEN) == []
    assert await scene.proposals(ANNA) == ["p12345"]
    scene.replace_entries([*BASE, *ENTRIES[1:], person("carla", 25003)])
    with pytest.raises(NoAccount):
        await scene.source.account_of(ANNA)
    assert caplog.text == ""


async def test_a_directory_that_never_showed_groups_is_believed(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A facility may have none yet; the log says what cannot be verified."""
    scene.replace_entries(without("cn=p12345"))
    assert (await scene.source.account_of(ANNA)).groups == ()
    assert "an empty answer is accepted, and cannot be verified" in caplog.text
    assert "memberUid" in caplog.text
