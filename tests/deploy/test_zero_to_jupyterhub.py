"""Our values for the chart of Zero to JupyterHub: what the hub is configured with, and each setting that it may get.

The chart and its images are not here. What its own configuration does is a table (zero_to_jupyterhub.yaml), from which
the hub's configuration is computed as the chart would; our lines of `extraConfig` are executed after it.
"""

from __future__ import annotations

import copy
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from traitlets.config import Config

from daas_hub.commands.check_config import check_config
from daas_hub.spawners.kubernetes import ProposalKubeSpawner
from daas_hub.stock_settings import value_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "zero-to-jupyterhub"
TABLE = yaml.safe_load(Path(__file__).with_name("zero_to_jupyterhub.yaml").read_text())
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
PAGE = ROOT / "docs" / "how-to" / "use-with-zero-to-jupyterhub.md"
GATEWAY = "10.96.40.12"

Json = dict[str, Any]
Row = Mapping[str, Any]

#: What the chart has where our values say nothing, for values that decide which settings are made.
DEFAULTS = {
    "hub.db.type": "sqlite-pvc",
    "debug.enabled": False,
    "scheduling.userScheduler.enabled": True,
    "scheduling.podPriority.enabled": False,
    "scheduling.userPods.nodeAffinity.matchNodePurpose": "prefer",
    "singleuser.allowPrivilegeEscalation": False,
    "singleuser.cloudMetadata.blockWithIptables": True,
    "singleuser.extraFiles": {},
    "singleuser.storage.type": "dynamic",
}
#: What the values of our lines are written with.
IMPORTS = """\
from pathlib import PosixPath, PurePosixPath
from daas_hub.spawners.kubernetes.volumes import ClaimStorage
"""
#: A value that is not in our file; null is one that is there, and that Helm removes.
_ABSENT = object()


def look_up(values: Json, path: str) -> Any:
    """Return what a file of values has at a path, or `_ABSENT`."""
    found: Any = values
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            return _ABSENT
        found = found[key]
    return found


def with_value(values: Json, path: str, value: Any) -> Json:
    """Return values with one more."""
    changed = copy.deepcopy(values)
    *above, last = path.split(".")
    inside = changed
    for key in above:
        inside = inside.setdefault(key, {})
    both = isinstance(value, dict) and isinstance(inside.get(last), dict)
    inside[last] = inside[last] | value if both else value
    return changed


def effective(values: Json, row: Row) -> Any:
    """Return what the chart's configuration sets for a row; None if it sets nothing."""
    for path, wanted in row.get("when", {}).items():
        said = look_up(values, path)
        if (DEFAULTS[path] if said is _ABSENT else said) != wanted:
            return None
    if "value" not in row:
        return row.get("is")
    said = look_up(values, row["value"])
    if isinstance(said, dict) and isinstance(row.get("default"), dict):
        # Helm merges maps, and removes what is null
        return {key: each for key, each in (row["default"] | said).items() if each is not None}
    return row.get("default") if said is _ABSENT else said


def configuration(values: Json) -> Config:
    """Return the hub's configuration as the chart makes it of values, with our lines executed after it."""
    c = Config()
    for row in TABLE["settings"]:
        section, _, name = row["trait"].partition(".")
        value = effective(values, row)
        # an empty name of an image sets nothing
        if value is not None and not (name == "image" and not value):
            c[section][name] = copy.deepcopy(value)
    for row in TABLE["settings"]:
        if "append" in row and effective(values, row | {"is": True}):
            section, _, name = row["trait"].partition(".")
            c[section][name].append(row["append"])
    for section, settings in values["hub"]["config"].items():
        c[section].update(copy.deepcopy(settings))
    for _, text in sorted(values["hub"]["extraConfig"].items()):
        exec(compile(text, "extraConfig", "exec"), {"c": c})
    return c


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Json:
    """Our values, with the paths of the hub's pod in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"HELM_RELEASE_NAME": "hub", "POD_NAMESPACE": "jhub", "OIDC_CLIENT_SECRET": "of-a-test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "gethostbyname", {"sessions-gateway": GATEWAY}.__getitem__)
    values = copy.deepcopy(VALUES)
    lines = values["hub"]["extraConfig"]
    for name, text in lines.items():
        lines[name] = text.replace("/srv/jupyterhub", str(tmp_path)).replace("/etc/daas-hub", str(tmp_path / "etc"))
    for one in values["hub"]["extraFiles"].values():
        file = tmp_path / "etc" / one["mountPath"].removeprefix("/etc/daas-hub/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(one["stringData"])
    return values


def problems(config: Config, tmp_path: Path) -> list[str]:
    """Return what check-config says of a configuration: settings and sentences."""
    file = tmp_path / "jupyterhub_config.py"
    lines = [f"c.{section}.{name} = {value!r}" for section, name, value in _plain(config)]
    file.write_text("\n".join([IMPORTS, *lines]))
    return [str(problem) for problem in check_config(file)]


def _plain(config: Config) -> Iterator[tuple[str, str, Any]]:
    for section, settings in config.items():
        for name, value in settings.items():
            if callable(value):
                continue
            yield section, name, value


def test_our_values_are_a_configuration_in_order(here: Json, tmp_path: Path) -> None:
    config = configuration(here)
    assert problems(config, tmp_path) == []
    assert config.JupyterHub.spawner_class == "proposal-kubernetes"
    assert config.ProposalKubeSpawner.gateway_address == f"{GATEWAY}:8012"
    assert config.JupyterHub.db_url == "sqlite:///jupyterhub.sqlite"
    assert Path.cwd() == tmp_path


def cases(verdict: str) -> list[Any]:
    """Return the rows of a verdict, each with a name."""
    return [
        pytest.param(row, id=f"{row['trait']}-{number}")
        for number, row in enumerate(TABLE["settings"])
        if row["here"] == verdict
    ]


def said(values: Json, row: Row) -> Json:
    """Return values with which the chart makes the setting of a row."""
    for path, wanted in row.get("when", {}).items():
        values = with_value(values, path, wanted)
    return with_value(values, row["value"], row["example"]) if "example" in row else values


def _found(config: Config, row: Row) -> Any:
    """Return the value of a row's setting that has precedence."""
    section, _, name = row["trait"].partition(".")
    return value_of(ProposalKubeSpawner, config, name) if "Spawner" in section else config[section].get(name)


@pytest.mark.parametrize("row", cases("honoured"))
def test_setting_is_honoured(here: Json, tmp_path: Path, row: Row) -> None:
    """Nothing is said of it, and it is what the hub and its sessions are configured with."""
    config = configuration(said(here, row))
    # `debug.enabled` makes two settings, of which one is refused
    expected = ["Spawner.debug"] if row["trait"] == "JupyterHub.log_level" else []
    assert [one.partition(" = ")[0] for one in problems(config, tmp_path)] == expected
    found = _found(config, row)
    if "append" in row:
        assert row["append"] in found
    elif isinstance(wanted := row.get("example", row.get("is")), list):
        # the chart adds terms of its own
        assert [one for one in found or [] if one in wanted] == wanted
    elif wanted:
        assert found == wanted


@pytest.mark.parametrize("row", cases("refused"))
def test_setting_is_refused_in_words(here: Json, tmp_path: Path, row: Row) -> None:
    """The hub does not start, and the sentence names the setting, with what to do instead."""
    found = problems(configuration(said(here, row)), tmp_path)
    assert {one.partition(" = ")[0] for one in found} >= {row.get("as", row["trait"])}
    assert all(len(one) > 40 for one in found)


@pytest.mark.parametrize("row", cases("replaced"))
def test_setting_is_replaced_by_our_lines(here: Json, row: Row) -> None:
    assert _found(configuration(said(here, row)), row) != row["is"]


def test_nothing_of_an_administrator_is_replaced_silently(here: Json, tmp_path: Path) -> None:
    """What the portal's defaults set gives way to the chart's values, for each of them."""
    values = with_value(here, "hub.config.JupyterHub.cookie_max_age_days", 3)
    values = with_value(values, "hub.config.Spawner.http_timeout", 99)
    config = configuration(values)
    assert (config.JupyterHub.cookie_max_age_days, config.Spawner.http_timeout) == (3, 99)
    assert config.JupyterHub.oauth_require_pkce is True
    assert problems(config, tmp_path) == []


def test_the_table_is_of_every_setting_of_the_spawner() -> None:
    """Each setting of KubeSpawner is one that the chart makes, or one that only `hub.config` can make."""
    stock = ProposalKubeSpawner.stock_settings
    for row in TABLE["settings"]:
        section, _, name = row["trait"].partition(".")
        if section == "KubeSpawner":
            assert name in stock.honoured or name in stock.refused, name


def _keys(values: Json, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield each object of our values whose keys the schema limits."""
    wild = "hub.extraFiles.*" if path.startswith("hub.extraFiles.") else path
    if wild in TABLE["keys"]:
        yield wild, set(values)
    for key, inside in values.items():
        if isinstance(inside, dict):
            yield from _keys(inside, f"{path}.{key}".lstrip("."))


def test_the_chart_knows_every_key_of_our_values() -> None:
    seen = set()
    for path, keys in _keys(VALUES):
        assert keys <= set(TABLE["keys"][path]), path
        seen.add(path)
    assert seen == set(TABLE["keys"])


def test_the_page_shows_what_is_refused() -> None:
    """Each of the chart's values that is refused, or replaced, is in a table of the page."""
    page = PAGE.read_text()
    refused = {row["value"] for row in TABLE["settings"] if row["here"] == "refused" and "value" in row}
    honoured = {row["value"] for row in TABLE["settings"] if row["here"] == "honoured" and "value" in row}
    missing = [
        path
        for path in sorted(refused - honoured)
        if not path.startswith("hub.config.") and path.rpartition(".")[2] not in page
    ]
    assert missing == []


def test_the_image_has_what_the_charts_configuration_loads() -> None:
    """Zero to JupyterHub's configuration loads curl's client; the extra that has it is pinned as all others are."""
    assert "pycurl==" in (ROOT / "constraints.txt").read_text()
    assert "zero-to-jupyterhub" in (ROOT / "setup.cfg").read_text()
    assert "$EXTRAS" in (ROOT / "images" / "hub" / "Dockerfile").read_text()
    assert os.access(ROOT / "images" / "hub" / "start-proxy", os.R_OK)
