"""How many sessions a person has when another one is about to start."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.errors import Refused
from daas_hub.spawners.base import ProposalSessionMixin

DEMO = Path(__file__).parents[2] / "demo"
CONFIG = Config(
    Facility={
        "sessions_per_person": 2,
        "accounts_file": str(DEMO / "accounts.yaml"),
        "proposals_file": str(DEMO / "proposals.yaml"),
    }
)


class Server(SimpleNamespace):
    """What the limit sees of a session."""

    is_counted: bool | None = None
    active = True
    config = CONFIG
    is_among_sessions = ProposalSessionMixin.is_among_sessions


def spawner(name: str, user: Any, *, pending: str = "") -> Any:
    """Return a session that runs, or with something pending."""
    made = Server(name=name, user=user, pending=pending)
    user.spawners[name] = made
    return made


def require_quota(one: Any) -> None:
    ProposalSessionMixin._require_quota(one)


def test_launches_that_are_not_decided_are_not_counted() -> None:
    """Of seven presses at once two start, and every refusal says the same number."""
    user = SimpleNamespace(spawners={})
    launches = [spawner(f"press-{number}", user, pending="spawn") for number in range(7)]
    refusals = []
    for one in launches:
        try:
            require_quota(one)
        except Refused as problem:
            refusals.append(problem.message)
            # JupyterHub ends what failed
            one.is_counted, one.pending = False, "stop"
    assert refusals == ["You have 2 sessions, and 2 is the limit."] * 5


@pytest.mark.parametrize("pending", ["", "check", "stop"])
def test_what_runs_is_counted(pending: str) -> None:
    """Also while a hub that was started again looks at it, and while it is being stopped."""
    user = SimpleNamespace(spawners={})
    for name in ("one", "two"):
        spawner(name, user, pending=pending)
    with pytest.raises(Refused, match="You have 2 sessions"):
        require_quota(spawner("three", user, pending="spawn"))
