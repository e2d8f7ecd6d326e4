"""The administrator's limits of sessions: which number applies to whom, and what check-config refuses."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.policy import Lifetimes

SMALL = Size("small", "Small", 2**30, 1.0, 500, 12.0)
GPU = Size("gpu", "GPU", 2**30, 1.0, 500, 4.0)
CATALOGUE = Catalogue({"pymca": Application("pymca", "PyMca", Kind.DESKTOP)}, {"small": SMALL, "gpu": GPU})
CULLER = {"name": "cull", "command": ["python3", "-m", "jupyterhub_idle_culler", "--timeout=3600"]}


def settings(**values: Any) -> Lifetimes:
    config = Config({"Lifetimes": values})
    return Lifetimes(config=config)


def test_nothing_ends_that_did_not_end_before() -> None:
    limits = settings().limits_of("pymca", SMALL, {"admin"})
    assert (limits.longest_s, limits.idle_s, limits.extension_s) == (12 * 3600, 0, 0)
    assert settings().problems(CATALOGUE) == []


@pytest.mark.parametrize(
    ("application", "size", "minutes"),
    [("pymca", GPU, 0), ("other", GPU, 60), ("other", SMALL, 240)],
    ids=["application", "size", "default"],
)
def test_the_most_specific_idle_time_applies(application: str, size: Size, minutes: float) -> None:
    found = settings(
        idle_minutes=240, idle_minutes_by_size={"gpu": 60}, idle_minutes_by_application={"pymca": 0}
    )  # fmt: skip
    assert found.limits_of(application, size, ()).idle_s == minutes * 60


def test_the_longest_time_limit_of_several_roles_applies() -> None:
    found = settings(hours_by_role={"guest": 2, "staff": 48})
    assert found.limits_of("pymca", SMALL, {"guest"}).longest_s == 2 * 3600
    assert found.limits_of("pymca", SMALL, {"guest", "staff"}).longest_s == 48 * 3600
    assert found.limits_of("pymca", SMALL, {"other"}).longest_s == 12 * 3600


def test_extensions_by_size_and_role() -> None:
    found = settings(
        extension_hours=4, max_extensions=2, max_extensions_by_size={"gpu": 0}, max_extensions_by_role={"staff": 9},
        max_hours=24,
    )  # fmt: skip
    limits = found.limits_of("pymca", SMALL, ())
    assert (limits.extension_s, limits.max_extensions, limits.never_beyond_s) == (4 * 3600, 2, 24 * 3600)
    assert found.limits_of("pymca", GPU, ()).max_extensions == 0
    assert found.limits_of("pymca", GPU, {"staff"}).max_extensions == 9


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"idle_minutes_by_size": {"gpus": 90}}, "names gpus, which", id="unknown-size"),
        pytest.param({"max_extensions_by_size": {"large": 1}}, "names large, which", id="unknown-size-of-extensions"),
        pytest.param({"idle_minutes_by_application": {"PyMca": 90}}, "names PyMca, which", id="unknown-application"),
        pytest.param({"busy_processors_by_application": {"x": 0.5}}, "names x, which", id="unknown-busy-application"),
        pytest.param({"busy_processors_by_application": {"pymca": 0.0}}, "not above 0", id="always-busy"),
        pytest.param({"hours_by_role": {"guest": -1.0}}, "not above 0", id="no-time-at-all"),
        pytest.param({"max_extensions_by_role": {"guest": -1}}, "negative", id="negative-extensions"),
        pytest.param({"idle_minutes_by_size": {"gpu": -5.0}}, "negative", id="negative-idle-time"),
        pytest.param({"idle_minutes": 10}, "not longer than the warning", id="always-warned"),
        pytest.param({"idle_minutes_by_application": {"pymca": 5.0}}, "not longer than the", id="warned-by-app"),
    ],
)
def test_wrong_settings_are_refused(values: dict[str, Any], words: str) -> None:
    (problem,) = settings(**values).problems(CATALOGUE)
    assert words in str(problem)
    assert f"Lifetimes.{next(iter(values))}" in str(problem)


@pytest.mark.parametrize(
    "command",
    [
        CULLER["command"],
        ["jupyterhub-idle-culler", "--timeout=3600"],
        "python3 -m jupyterhub_idle_culler",
        ["python3", "/srv/cull_idle_servers.py"],
    ],
)
def test_two_cullers_are_refused(command: Any) -> None:
    config = Config({"Lifetimes": {"idle_minutes": 240}, "JupyterHub": {"services": [CULLER | {"command": command}]}})
    (problem,) = Lifetimes(config=config).conflicts()
    assert "the service cull ends idle sessions, too" in str(problem)


def test_the_stock_culler_alone_is_honoured() -> None:
    config = Config({"JupyterHub": {"services": [CULLER, {"name": "other", "url": "http://127.0.0.1:9"}]}})
    assert Lifetimes(config=config).conflicts() == []
