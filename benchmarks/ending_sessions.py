"""A session whose right ends, and what can be seen of it: the route, the page, the processes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Any

import requests

from daas_hub.spawners.runtime_dir import session_key
from daas_hub.spawners.sandbox.processes import marked_processes
from tests.live_portal import Person, Portal

from .processes import Process, descendants, read_process
from .rights import LOST

APPLICATION = "terminal"


class Kind(StrEnum):
    """What ends."""

    PROPOSAL = "proposal"
    ACCOUNT = "account"
    END_DATE = "end date"
    LOGIN = "login"

    @property
    def title(self) -> str:
        """What the table calls it."""
        return {
            Kind.PROPOSAL: "a membership: the person is no longer in the proposals file",
            Kind.ACCOUNT: "an account: it is no longer in the accounts file",
            Kind.END_DATE: "an account: its end date passes",
            Kind.LOGIN: "a login: the identity provider refuses it; the session continues",
        }[self]


@dataclass
class Right:
    """A right of somebody with one session.

    Attributes:
        subject: of the person's login, and the name of their account.
        begins, at: when the session is to start, and its right to end, in seconds after the beginning of the run.
        until: the same, in seconds since 1970.
        is_frozen: whether the session's processes cannot be ended.
        processes: of the session, before the end.
        ended_at: when it ended, by the monotonic clock.
        closed_s, gone_s: seconds from then until the way was closed, and until the last process was gone.
        was_reopened: whether there was a route again after that.
    """

    kind: Kind
    subject: str
    begins: float
    at: float
    until: float = 0.0
    is_frozen: bool = False
    path: str = ""
    person: Person | None = None
    processes: list[Process] = field(default_factory=list)
    ended_at: float | None = None
    closed_s: float | None = None
    gone_s: float | None = None
    was_reopened: bool = False

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.closed_s is not None and (self.gone_s is not None or self.is_frozen or self.kind is Kind.LOGIN)


class Watched:
    """A portal, and how its sessions are started and seen.

    Args:
        proxy_token: of the API of its proxy.
    """

    def __init__(self, portal: Portal, proxy_token: str) -> None:
        self._portal, self._proxy_token = portal, proxy_token
        self._operator = (portal.state / "hub" / "operator_token").read_text().strip()

    def start(self, right: Right) -> None:
        """Sign in, start the session, and open its page."""
        right.person = person = self._portal.login(right.subject)
        session = person.launch(APPLICATION, proposal=LOST, visit="2")
        right.path = f"/user/{person.name}/{session}/"
        if (answer := person.get(right.path)).status_code != 200 or not self.is_open(right):
            raise RuntimeError(f"the session of {right.subject} cannot be opened: {answer.status_code}")

    def is_open(self, right: Right) -> bool:
        """Return whether the browser of the owner gets the session's page."""
        if right.person is None:
            raise RuntimeError(f"{right.subject} has not signed in")
        # not the person's own jar: an answer would change it
        cookies = right.person.session.cookies.copy()
        answer = requests.get(self._portal.url + right.path, cookies=cookies, allow_redirects=False, timeout=60)
        return answer.status_code == 200

    def processes_of(self, right: Right) -> list[Process]:
        """Return all processes of the session."""
        _, _, user, server, _ = right.path.split("/")
        marked = marked_processes(self._portal.state / "run" / "sessions").get(session_key(user, server), [])
        found = {
            one.pid: one
            for top in marked
            for one in (read_process(top.pid), *descendants(top.pid))
            if one is not None
        }  # fmt: skip
        if not found:
            raise RuntimeError(f"the session of {right.subject} has no process")
        return list(found.values())

    def runs(self, right: Right) -> bool:
        """Return whether one of the session's processes, and not a later one of the same id, is there."""
        for one in right.processes:
            now = read_process(one.pid)
            if now is not None and now.started == one.started:
                return True
        return False

    def look(self, rights: Iterable[Right], pool: ThreadPoolExecutor) -> None:
        """Note which ways are closed, and which sessions are gone."""
        rights = list(rights)
        if not rights:
            return
        routes = self.routes()
        now = monotonic()
        without = [one for one in rights if one.path not in routes]
        for one in rights:
            one.was_reopened |= one.closed_s is not None and one.path in routes
            if one.gone_s is None and not self.runs(one):
                one.gone_s = now - (one.ended_at or 0)
        closing = [one for one in without if one.closed_s is None]
        for one, is_open in zip(closing, pool.map(self.is_open, closing), strict=True):
            if not is_open:
                one.closed_s = now - (one.ended_at or 0)

    def routes(self) -> set[str]:
        """Return the paths of the proxy's routes."""
        url = f"http://127.0.0.1:{self._portal.port + 3}/api/routes"
        answer = requests.get(url, headers={"Authorization": f"token {self._proxy_token}"}, timeout=30)
        answer.raise_for_status()
        return {f"{path.rstrip('/')}/" for path in answer.json()}

    def status(self) -> Any:
        """Return what the hub says of itself to operators."""
        url = f"{self._portal.url}/hub/api/daas/status"
        answer = requests.get(url, headers={"Authorization": f"token {self._operator}"}, timeout=30)
        answer.raise_for_status()
        return answer.json()


class Controls:
    """Sessions whose rights do not end.

    Attributes:
        ended: how many of them did not run any more at the end.
    """

    def __init__(self, watched: Watched, count: int) -> None:
        self._watched = watched
        self._rights = [Right(Kind.PROPOSAL, f"c{number:03}", 0.0, 0.0) for number in range(count)]
        self.ended = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._rights)

    @property
    def subjects(self) -> list[str]:
        """Whose they are."""
        return [one.subject for one in self._rights]

    def start(self, pool: ThreadPoolExecutor) -> None:
        """Start all of them."""
        list(pool.map(self._watched.start, self._rights))
        for one in self._rights:
            one.processes = self._watched.processes_of(one)

    def finish(self, pool: ThreadPoolExecutor) -> None:
        """Count those that cannot be opened any more, or whose first process is gone."""
        opened = list(pool.map(self._watched.is_open, self._rights))
        self.ended = sum(
            not is_open or not self._watched.runs(one) for one, is_open in zip(self._rights, opened, strict=True)
        )
