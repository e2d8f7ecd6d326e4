"""Twenty people who launch at the same moment, without browsers, and as many bare desktops."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from .launch import connect
from .machine import goal_max, median, spread, spread_head, table
from .portal import Portal
from .streams import ByteStream, open_unix

TOGETHER = 20
WANTED_TOGETHER = 1.2


class Clients:
    """People without a browser, who launch through the form and wait until their session answers."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def login(self, subject: str) -> requests.Session:
        """Log somebody in."""
        person = requests.Session()
        form = person.get(f"{self._portal.url}/hub/oauth_login")
        person.post(form.url, data={"sub": subject})
        return person

    def open_home(self, person: requests.Session) -> str:
        """Load the page with the applications, and return the XSRF token of its forms."""
        return person.get(f"{self._portal.url}/hub/home").text.partition('data-xsrf="')[2].partition('"')[0]

    def launch(self, person: requests.Session, application: str, xsrf: str = "") -> tuple[float, str]:
        """Launch; return the seconds until the session's page answers, and its name.

        Args:
            xsrf: the token of the page that the button is on; by default the page is loaded first.
        """
        url = self._portal.url
        xsrf = xsrf or self.open_home(person)
        began = time.monotonic()
        fields = {"_xsrf": xsrf, "application": application, "proposal": "MA-4242", "visit": "2"}
        answer = person.post(f"{url}/hub/launch", data=fields, allow_redirects=False)
        address = urljoin(answer.url, answer.headers["Location"])
        name = urlsplit(address).path.rstrip("/").rpartition("/")[2]
        if "/user/" not in address:
            address = self._follow(person, address)
        person.get(address).raise_for_status()
        return time.monotonic() - began, name

    def _follow(self, person: requests.Session, address: str) -> str:
        """Hold the progress page's stream of events, as a browser does; return the session's address when ready."""
        page = person.get(address, allow_redirects=False)
        if page.is_redirect:
            return urljoin(address, page.headers["Location"])
        attributes = {name: html.unescape(value) for name, value in re.findall(r'data-([a-z-]+)="([^"]*)"', page.text)}
        with person.get(urljoin(address, attributes["progress-url"]), stream=True, timeout=180) as events:
            events.raise_for_status()
            for line in events.iter_lines(chunk_size=1):
                event = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
                if event.get("failed"):
                    raise RuntimeError(f"{address} does not start: {event}")
                if event.get("ready"):
                    return urljoin(address, attributes["session-url"] or event["url"])
        raise RuntimeError(f"the events of {address} ended early")

    def stop(self, person: requests.Session, name: str) -> None:
        """Stop a session."""
        url = self._portal.url
        person.post(f"{url}/hub/sessions/{name}/stop", data={"_xsrf": self.open_home(person)}, allow_redirects=False)


@dataclass
class Together:
    """Seconds of launches: twenty at once of each system in all turns, and of ours also one at a time."""

    alone: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    unlimited: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    #: Bare desktops with the least server that a browser can connect to.
    served: list[float] = field(default_factory=list)


def one_at_a_time(portal: Portal) -> list[float]:
    """Return the seconds of single launches."""
    clients = Clients(portal)
    person = clients.login("anna")
    alone = []
    for _ in range(5):
        seconds, name = clients.launch(person, "terminal")
        alone.append(seconds)
        clients.stop(person, name)
    return alone


def twenty_at_once(portal: Portal) -> list[float]:
    """Return the seconds of twenty launches that are pressed together."""
    clients = Clients(portal)
    people = [clients.login(("anna", "ben")[number % 2]) for number in range(TOGETHER)]
    # the first launch of a portal has to import and connect
    clients.stop(people[0], clients.launch(people[0], "terminal")[1])
    pages = [(person, clients.open_home(person)) for person in people]
    with ThreadPoolExecutor(TOGETHER) as pool:
        together = list(pool.map(lambda page: clients.launch(page[0], "terminal", page[1]), pages))
    for one, (_, name) in zip(people, together, strict=True):
        clients.stop(one, name)
    return [seconds for seconds, _ in together]


def twenty_bare(
    bare: Callable[[], AbstractContextManager[str]], open_stream: Callable[[Path], ByteStream] = open_unix
) -> list[float]:
    """Return the seconds of twenty bare desktops that are started together, each until its X server answers.

    Args:
        bare: starts one, and gives the path of the socket at which its X server answers.
        open_stream: connects to it.
    """
    with ThreadPoolExecutor(TOGETHER) as pool, ExitStack() as stack:

        def start(_: int) -> float:
            began = time.monotonic()
            # many that try again in a loop would take the processors from what they wait for
            connect(Path(stack.enter_context(bare())), open_stream, timeout_s=60, pause_s=0.02).close()
            return time.monotonic() - began

        return list(pool.map(start, range(TOGETHER)))


def together_part(measured: Together) -> str:
    """Return the part of a report on twenty at once."""
    return "\n\n".join(
        [
            f"{TOGETHER} people who press *Terminal* together (no browser, but a stream of events each, as browsers"
            " hold it; until the session's page answers), and one. As shipped, as many sessions start at a time as the"
            " engine's machine has processors; the second row is without that limit. The floor is as many containers of"
            " the same image, with X server, window manager and terminal, started together through the engine's API,"
            " until their X servers answer; and the same with the least server that a browser can connect to (tornado,"
            f" a websocket), until they answer through it; {len(measured.ours) // TOGETHER} turns of each:",
            table(
                ["", *spread_head("s")],
                [
                    ["one at a time", *spread(measured.alone)],
                    [f"{TOGETHER} together", *spread(measured.ours)],
                    [f"{TOGETHER} together, `concurrent_starts` 0", *spread(measured.unlimited)],
                    [f"{TOGETHER} bare desktops together", *spread(measured.floor)],
                    [f"{TOGETHER} bare desktops with a server together", *spread(measured.served)],
                ],
            ),
            goal_max(
                f"p50 of {TOGETHER} together, to bare desktops",
                median(measured.ours) / median(measured.floor),
                WANTED_TOGETHER,
            ),
            goal_max(
                f"p50 of {TOGETHER} together, to bare desktops with a server",
                median(measured.ours) / median(measured.served),
                WANTED_TOGETHER,
            ),
            f"- last of {TOGETHER} (maximum of all turns), to bare desktops:"
            f" {max(measured.ours) / max(measured.floor):.2f}",
        ]
    )
