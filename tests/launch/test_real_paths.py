"""The facility's own paths in a session: where a directory appears, and where none may."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from traitlets.config import Config

from daas_hub.errors import ConfigurationError
from daas_hub.launch import UNCHANGED, Alias, MountPolicy, collides
from daas_hub.launch.real_paths import real_paths
from daas_hub.policy import MountRules

HOME = "/home/anna"
ALIAS = Alias(PurePosixPath("/gpfs/easy/data"), PurePosixPath("/data"))
PATHS = {
    "its own path": ("/data/visitor/MA-1/v1", (UNCHANGED,), ("/data/visitor/MA-1/v1",)),
    "an alias, too": ("/gpfs/easy/data/v1", (UNCHANGED, ALIAS), ("/gpfs/easy/data/v1", "/data/v1")),
    "an alias of something else": ("/nfs/v1", (UNCHANGED, ALIAS), ("/nfs/v1",)),
    "switched off": ("/data/v1", (), ()),
    "below /home": ("/home/visitor/MA-1", (UNCHANGED,), ("/home/visitor/MA-1",)),
    "below what sessions share": ("/var/tmp/v1", (UNCHANGED,), ("/var/tmp/v1",)),
    "the home itself": (HOME, (UNCHANGED,), ()),
    "in the home": (f"{HOME}/MA-1", (UNCHANGED,), ()),
    "a name that begins like the home": ("/home/anna2", (UNCHANGED,), ("/home/anna2",)),
    "in /usr": ("/usr/share/pymca", (UNCHANGED,), ()),
    "a system directory": ("/etc", (UNCHANGED,), ()),
    "above a system directory": ("/opt", (UNCHANGED,), ()),
}


@pytest.mark.parametrize(("source", "aliases", "shown"), PATHS.values(), ids=PATHS.keys())
def test_where_a_directory_appears(source: str, aliases: tuple[Alias, ...], shown: tuple[str, ...]) -> None:
    assert real_paths(PurePosixPath(source), aliases, HOME) == shown


@pytest.mark.parametrize("path", ["/", "/home", "/tmp", "/var", "/run/daas-hub", "/opt/daas-hub/bin", "/proc", "/usr"])
def test_a_place_of_sessions_is_not_covered(path: str) -> None:
    assert collides(PurePosixPath(path))


def policy(**settings: object) -> MountPolicy:
    return MountRules(config=Config({"MountRules": settings})).policy("/var/lib/daas-hub")


def test_directories_of_the_facility_have_it_by_default() -> None:
    """Those that only the portal knows do not: nobody refers to them by path."""
    rules = policy(data=["/data/{proposal}"], home="/home/{account}")
    assert rules.aliases == (UNCHANGED,)
    assert rules.home.has_real_path
    assert rules.processed is not None
    assert not rules.processed.has_real_path
    assert policy(real_paths=False).aliases == ()


REFUSED = {
    "data below /usr": ({"real_paths": True, "data": ["/usr/share/{proposal}"]}, "MountRules.data"),
    "a root below /run": ({"real_paths": True, "data_roots": ["/run/media"]}, "MountRules.data_roots"),
    "extra in /etc": ({"real_paths": True, "extra": [{"name": "tools", "path": "/etc/tools"}]}, "MountRules.extra"),
    "an alias in /usr": ({"path_aliases": {"/usr/data": "/gpfs/data"}}, "MountRules.path_aliases"),
    "an alias above all": ({"path_aliases": {"/": "/gpfs/data"}}, "MountRules.path_aliases"),
    "an alias with dots": ({"path_aliases": {"/data/../x": "/gpfs/data"}}, "MountRules.path_aliases"),
    "a relative alias": ({"path_aliases": {"/data": "gpfs"}}, "MountRules.path_aliases"),
    "an alias without real paths": ({"real_paths": False, "path_aliases": {"/a": "/b"}}, "MountRules.path_aliases"),
}


@pytest.mark.parametrize(("settings", "setting"), REFUSED.values(), ids=REFUSED.keys())
def test_a_path_that_collides_is_refused(settings: dict[str, object], setting: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        policy(**settings)
    assert refused.value.setting == setting


def test_the_same_paths_are_left_out_by_default() -> None:
    assert policy(data=["/usr/share/{proposal}"]).aliases == (UNCHANGED,)
    assert policy(real_paths=True, data=["/data/{proposal}"], data_roots=["/data"]).aliases == (UNCHANGED,)
