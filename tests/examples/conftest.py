"""One directory for all seven facilities, and each facility when its first test asks for it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.examples.site import FACILITIES, Facility, Site, running_site, squashed_tree
from tests.not_tried import missing
from tests.stand_ins.directory import SLAPD, Directory, make_directory, person, posix_group
from tests.stand_ins.openid import start_provider
from tests.stand_ins.squashing import require_fuse

ENTRIES = [
    person("anna", 25001, employeeNumber="anna0123456789abcdef@egi.eu", displayName="Anna Lindqvist"),
    person("calipso1", 25011),
    person("u20180001", 28001, gid=26001),
    posix_group("exp_20180001", 26001, ["anna", "calipso1"]),
    posix_group("99240224", 26003, ["anna"]),
    posix_group("99240225", 26004, ["ben"]),
    posix_group("p12345", 26005, ["anna"]),
    posix_group("mx12345_7", 26006, ["anna"]),
]


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """The directory of every example."""
    if SLAPD is None:
        missing("ldap", "slapd is not installed")
    directory = make_directory(tmp_path_factory.mktemp("people"), ENTRIES)
    directory.start()
    yield directory
    directory.stop()


@contextmanager
def site_of(
    name: str, folder: Path, people: Directory, tree: Callable[[Facility], Path] | None = None
) -> Iterator[Site]:
    """Run the site of an example.

    Args:
        tree: makes its directories.
    """
    facility = FACILITIES[name]
    (portal,) = re.findall(r'public_url = "(.+)/"', facility.text)
    provider = start_provider(facility.profile, portal=portal)
    if tree is None:
        for parent in (folder, *folder.parents[:2]):
            parent.chmod(0o755)
    try:
        with running_site(facility, folder, people, provider, tree(facility) if tree else None) as site:
            yield site
    finally:
        provider.stop()


@pytest.fixture
def squashed_site(
    sandbox_works: None, people: Directory, reachable: Path, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """The site of the example that a test names, on storage that squashes root."""
    require_fuse()
    with ExitStack() as stack:

        def tree(facility: Facility) -> Path:
            return stack.enter_context(squashed_tree(facility, reachable))

        with site_of(request.param, reachable, people, tree) as site:
            yield site


@pytest.fixture(scope="session")
def sites(
    sandbox_works: None, people: Directory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Site]]:
    """Return the site of an example by its name."""
    if os.geteuid() != 0:
        missing("root", "a facility's directories stand at their true paths for root only")
    running: dict[str, Site] = {}
    with ExitStack() as stack:

        def site(name: str) -> Site:
            if name not in running:
                running[name] = stack.enter_context(site_of(name, Path(tmp_path_factory.mktemp(name)), people))
            return running[name]

        yield site
