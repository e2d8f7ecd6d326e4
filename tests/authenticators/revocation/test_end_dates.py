"""A whole course ends on one day: its sessions end, and the brake for broken sources does not hold them."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.accounts.refusals import AccessEnded
from daas_hub.authenticators.revocation.hub_users import RECENT_S, RunningUsers
from daas_hub.authenticators.revocation.recheck import Decision, Verdict, decide

THERE, GONE, UNKNOWN, EXPIRED = Verdict.THERE, Verdict.GONE, Verdict.UNKNOWN, Verdict.EXPIRED
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("verdicts", "decision"),
    [
        pytest.param([EXPIRED] * 9, Decision(tuple(f"p{n}" for n in range(9))), id="a whole course"),
        pytest.param(
            [EXPIRED] * 5 + [GONE], Decision(("p5", "p0", "p1", "p2", "p3", "p4")), id="and somebody who left"
        ),
        pytest.param([EXPIRED] + [GONE] * 5, Decision(("p0",), braked=True), id="the brake still holds the others"),
        pytest.param([EXPIRED] + [UNKNOWN] * 5, Decision(("p0",)), id="the others are not known"),
    ],
)
def test_ends_that_were_due_do_not_count_for_the_brake(verdicts: list[Verdict], decision: Decision) -> None:
    assert decide({f"p{number}": verdict for number, verdict in enumerate(verdicts)}) == decision


class User:
    """A user of the hub whose login has ended."""

    async def get_auth_state(self) -> dict[str, Any]:
        return {"ended": {"issuer": "https://login.example.org", "subject": "gina"}}


class Hub:
    """A hub with that user."""

    users: dict[str, Any] = {"gina": User()}


class Logins:
    """An authenticator whose facility says that the account has ended."""

    def __init__(self, ended_at: float) -> None:
        self.ended_at = ended_at

    def method_of(self, state: Any) -> None:
        return None

    async def ask_again(self, user: Any) -> None:
        raise AssertionError("there is no login to ask about")

    async def require_known(self, identity: Any) -> None:
        raise AccessEnded("Your access ended.", ended_at=self.ended_at)

    async def end_everything(self, user: Any) -> None:
        raise AssertionError("only looked at")


@pytest.mark.parametrize(
    ("ago_s", "verdict"), [(0, EXPIRED), (RECENT_S - 1, EXPIRED), (RECENT_S, GONE), (10 * 365 * 86_400, GONE)]
)
async def test_an_end_of_long_ago_may_be_an_error_of_the_source(ago_s: float, verdict: Verdict) -> None:
    running = RunningUsers(Hub(), Logins(NOW - ago_s), every_s=300, clock=lambda: NOW)
    assert await running.look("gina") is verdict
