"""200 rights that end, in a real portal: the seconds until the way to a session is closed, and its processes are gone.

    python -m benchmarks.ended_rights

The portal is the demo's, with the intervals that ship, a sandbox for each person, and people who signed in at the
demo's identity provider. Rights end at random moments of several intervals. The processes of some sessions are frozen
before, so that nobody can end them: their ends are counted apart.
"""

from __future__ import annotations

import argparse
import random
import secrets
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from tests.freezer import Freezer, freezer
from tests.live_portal import free_ports, new_state, remove, start_portal
from tests.places import kill_rest

from .ending_sessions import Controls, Kind, Right, Watched
from .machine import goal_max, goal_min, progress, section, spread, spread_head, table
from .rights import Rights

TRIALS, CONTROLS, MINUTES, SEED = 200, 40, 11.0, 16
#: Of the trials; the others lose their proposal.
SHARES = {Kind.ACCOUNT: 0.3, Kind.END_DATE: 0.2}
#: Beside the trials: what ends here is the login, and the session continues.
LOGINS = 24
#: Of the trials of these kinds each, whose processes cannot be ended.
FROZEN, FROZEN_KINDS = 6, (Kind.PROPOSAL, Kind.ACCOUNT)
BOUND_S = 300.0
#: A session runs for that long before its right ends, unless starts are late; of a login for any part of the interval
#: at which the hub asks the identity provider again while it is used.
LEAD_S, LOGIN_LEAD_S = 60.0, (30.0, 330.0)
LOOK_S, STATUS_S, USE_S = 0.5, 5.0, 10.0
#: Until a way that is still open counts as never closed, and a thawed session as never ended.
PATIENCE_S, THAWED_S = 420.0, 120.0
CONFIG = """
c.Facility.accounts_file = "{accounts}"
c.Facility.proposals_file = "{proposals}"
c.ConfigurableHTTPProxy.auth_token = "{token}"
"""


def planned(trials: int, logins: int, minutes: float, dice: random.Random) -> list[Right]:
    """Return the rights in the order of their ends, at random moments; times are seconds after the beginning."""
    kinds = [kind for kind, share in SHARES.items() for _ in range(round(share * trials))]
    kinds += [Kind.PROPOSAL] * (trials - len(kinds)) + [Kind.LOGIN] * logins
    rights = []
    for number, kind in enumerate(kinds):
        begins = dice.uniform(0, minutes * 60)
        if kind is Kind.LOGIN:
            # these take longest, so the last of them are over with the others
            begins, lead_s = begins / 2, dice.uniform(*LOGIN_LEAD_S)
        else:
            lead_s = LEAD_S
        rights.append(Right(kind, f"p{number:03}", begins, begins + lead_s))
    return sorted(rights, key=lambda one: one.at)


def freeze_some(rights: Iterable[Right], dice: random.Random) -> None:
    """Choose whose processes are frozen."""
    for kind in FROZEN_KINDS:
        mine = [one for one in rights if one.kind is kind]
        for one in dice.sample(mine, min(FROZEN, len(mine) // 4)):
            one.is_frozen = True


@contextmanager
def portal_with_rights() -> Iterator[tuple[Watched, Rights]]:
    """Run the portal until the end of the block."""
    state, port, token = new_state(), free_ports(4), secrets.token_hex(16)
    rights = Rights(state, f"http://127.0.0.1:{port + 1}")
    rights.write()
    lines = CONFIG.format(accounts=rights.accounts_file, proposals=rights.proposals_file, token=token)
    portal = start_portal(state=state, port=port, more_config=lines)
    try:
        yield Watched(portal, token), rights
    finally:
        portal.stop()
        kill_rest(portal)
        remove(portal)


class Run:
    """One run: it starts sessions ahead of the ends, lets rights end, and looks.

    Args:
        pool: starts sessions, and opens pages.
    """

    def __init__(self, watched: Watched, rights: Rights, frozen: Freezer | None, pool: ThreadPoolExecutor) -> None:
        self._watched, self._rights, self._freezer, self._pool = watched, rights, frozen, pool
        self._starts: dict[str, Future[None]] = {}
        self._status_at = self._use_at = 0.0
        #: What the hub said, at most, and which of its rechecks were frozen.
        self.max_unconfirmed, self.braked = 0, set[str]()
        #: Sessions that ended although only a login did.
        self.ended_with_login = 0

    def until_over(self, planned: list[Right]) -> None:
        """Let all of these rights end, and look until all ways are closed and what can end has ended."""
        began = time.monotonic()
        while True:
            now = time.monotonic() - began
            self._start([one for one in planned if one.begins <= now])
            self._end([one for one in planned if one.at <= now and one.ended_at is None])
            ended = [one for one in planned if one.ended_at is not None]
            self._watched.look([one for one in ended if one.kind is not Kind.LOGIN], self._pool)
            self._ask(ended)
            over = [one for one in ended if one.is_over or time.monotonic() - (one.ended_at or 0) > PATIENCE_S]
            if len(over) == len(planned):
                logins = [one for one in planned if one.kind is Kind.LOGIN]
                self.ended_with_login = sum(not self._watched.runs(one) for one in logins)
                return
            time.sleep(LOOK_S)

    def _start(self, due: Iterable[Right]) -> None:
        for one in due:
            if one.subject not in self._starts:
                self._starts[one.subject] = self._pool.submit(self._watched.start, one)

    def _end(self, due: list[Right]) -> None:
        """End rights whose sessions run; one that is late ends with a later call."""
        ready = [one for one in due if self._starts[one.subject].done()]
        for one in ready:
            self._starts[one.subject].result()
            one.processes = self._watched.processes_of(one)
            if one.is_frozen and self._freezer is not None:
                self._freezer.freeze(process.pid for process in one.processes)
            if one.kind is Kind.PROPOSAL:
                self._rights.take_proposal(one.subject)
            elif one.kind is Kind.ACCOUNT:
                self._rights.remove_account(one.subject)
            elif one.kind is Kind.LOGIN:
                self._rights.refuse_login(one.subject)
        if ready:
            self._rights.write()
        for one in ready:
            one.ended_at = time.monotonic() - (time.time() - one.until if one.kind is Kind.END_DATE else 0)
            progress(f"{one.kind} of {one.subject} ended{', frozen' if one.is_frozen else ''}")

    def _ask(self, ended: list[Right]) -> None:
        """Ask the hub for its counts, and open the pages of those whose login was refused, as their browsers would."""
        now = time.monotonic()
        if now - self._status_at > STATUS_S:
            self._status_at = now
            status = self._watched.status()
            self.max_unconfirmed = max(self.most_unconfirmed, status["unconfirmed_ends"])
            self.braked |= set(status["frozen_rechecks"])
        if now - self._use_at > USE_S:
            self._use_at = now
            logins = [one for one in ended if one.kind is Kind.LOGIN and one.closed_s is None]
            for one, is_open in zip(logins, self._pool.map(self._watched.is_open, logins), strict=True):
                if not is_open:
                    one.closed_s = time.monotonic() - (one.ended_at or 0)

    def thaw(self, frozen: list[Right]) -> float:
        """Thaw what is frozen; return the seconds until all of it is gone and the hub counts none, or infinity."""
        began = time.monotonic()
        if self._freezer is not None:
            self._freezer.thaw()
        while time.monotonic() - began < THAWED_S:
            with suppress(OSError):
                if not self._watched.status()["unconfirmed_ends"] and not any(map(self._watched.runs, frozen)):
                    return time.monotonic() - began
            time.sleep(LOOK_S)
        return float("inf")


def report(rights: list[Right], controls: Controls, run: Run, thawed_s: float) -> None:
    """Print the section."""
    trials = [one for one in rights if one.kind is not Kind.LOGIN]
    frozen = [one for one in trials if one.is_frozen]
    rows: list[list[object]] = []
    for kind in Kind:
        of_kind = [one for one in rights if one.kind is kind]
        closed, gone = [one.closed_s for one in of_kind], [one.gone_s for one in of_kind]
        unconfirmed = sum(one.gone_s is None for one in of_kind) if kind is not Kind.LOGIN else "-"
        rows.append([kind.title, len(of_kind), *_spread(closed), *_spread(gone), unconfirmed])
    closed_in_time = sum(one.closed_s is not None and one.closed_s <= BOUND_S for one in trials)
    gone_in_time = sum(one.gone_s is not None and one.gone_s <= BOUND_S for one in trials)
    logins_in_time = sum(one.closed_s is not None and one.closed_s <= BOUND_S for one in rights if one not in trials)
    section(
        f"{len(trials)} rights that end",
        "make bench-ends",
        f"One session each, in a sandbox, and {controls.count} more whose rights did not end. The processes of"
        f" {len(frozen)} were frozen before, so that nobody could end them. Looked for every {LOOK_S:g} s: the proxy's"
        " route, then the page itself; and the session's processes. A refused login is tried with the session's page"
        f" every {USE_S:g} s.",
        table(
            ["what ended", "trials", *spread_head("way closed s"), "max", *spread_head("processes gone s"), "max",
             "end not confirmed"],
            rows,
        ),
        "\n".join(
            [
                goal_min(f"ways closed within {BOUND_S:g} s", closed_in_time, len(trials)),
                goal_min(f"sessions gone within {BOUND_S:g} s, of those that can end", gone_in_time,
                         len(trials) - len(frozen)),
                goal_min(f"refused logins, ways closed within {BOUND_S:g} s", logins_in_time,
                         len(rights) - len(trials)),
                goal_max("ways that were open again", sum(one.was_reopened for one in rights), 0),
                goal_max("sessions of others that ended", controls.ended, 0),
                goal_max("sessions that ended with a login", run.ended_with_login, 0),
                goal_max("rechecks that were frozen", len(run.braked), 0),
                *([
                    goal_min("frozen sessions that the hub counts as not confirmed", run.max_unconfirmed, len(frozen)),
                    goal_max("s from the thaw until all are gone and none is counted", thawed_s, THAWED_S),
                ] if frozen else []),
            ]
        ),
    )  # fmt: skip


def _spread(values: Iterable[float | None]) -> list[float]:
    known = [one for one in values if one is not None]
    return [*spread(known), max(known, default=float("nan"))]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--logins", type=int, default=LOGINS)
    parser.add_argument("--controls", type=int, default=CONTROLS)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    dice = random.Random(options.seed)  # the same moments in every run
    rights = planned(options.trials, options.logins, options.minutes, dice)
    freeze_some(rights, dice)
    with freezer() as group, portal_with_rights() as (watched, files), ThreadPoolExecutor(4) as pool:
        if group is None:
            progress("no control group freezes here: nothing is left unconfirmed")
            for one in rights:
                one.is_frozen = False
        controls = Controls(watched, options.controls)
        for subject in controls.subjects:
            files.add(subject)
        # those with an end date have it from the beginning, which is after the controls have started
        began = time.time() + options.controls
        for one in rights:
            one.until = began + one.at
            files.add(one.subject, until=one.until if one.kind is Kind.END_DATE else None)
        files.write()
        controls.start(pool)
        progress(f"{options.controls} sessions of others run")
        time.sleep(max(0.0, began - time.time()))
        run = Run(watched, files, group, pool)
        run.until_over(rights)
        thawed_s = run.thaw([one for one in rights if one.is_frozen])
        controls.finish(pool)
        report(rights, controls, run, thawed_s)


if __name__ == "__main__":
    main()
