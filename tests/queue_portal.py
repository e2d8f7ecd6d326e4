"""Portals with a queue, for any number of people: a web server in front signs them in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.live_portal import Person, Portal, new_state, plain_text, remove, start_portal
from tests.places import kill_rest

ISSUER = "https://proxy.example.org"


def prepare(people: list[str]) -> tuple[Path, str, str]:
    """Return the state of a portal for these people, its secret for signing in, and the lines of its configuration."""
    state, secret = new_state(), secrets.token_hex(32)
    (state / "proxy").touch(0o600)
    (state / "proxy").write_text(secret)
    accounts = "".join(
        f'  - {{name: {name}, uid: {20000 + n}, gid: {20000 + n}, logins: [{{issuer: "{ISSUER}", subject: {name}}}]}}\n'
        for n, name in enumerate(people)
    )
    (state / "accounts.yaml").write_text(f"accounts:\n{accounts}")
    proxy = {"issuer": ISSUER, "secret_file": str(state / "proxy"), "proof": "secret"}
    lines = (
        f"c.UmbrellaAuthenticator.trusted_proxy = {proxy!r}\n"
        f"c.Facility.accounts_file = {str(state / 'accounts.yaml')!r}\n"
        "c.Queue.enabled = True\n"
    )
    return state, secret, lines


class QueuePortal:
    """A portal with room for some sessions.

    Args:
        sessions: how many it has room for.
        more: further lines of its configuration.
        port: of the portal; 0 for any.
    """

    def __init__(self, people: list[str], sessions: int, more: str = "", port: int = 0) -> None:
        self._state, self._secret, lines = prepare(people)
        self._lines = f'{lines}c.Quotas.facility = {{"sessions": {sessions}}}\n{more}\n'
        self.portal: Portal = start_portal(state=self._state, port=port, more_config=self._lines)

    def start_again(self) -> None:
        """Start it on the state and the address of one that has ended."""
        self.portal = start_portal(state=self._state, port=self.portal.port, more_config=self._lines)

    def sign_in(self, name: str) -> Person:
        """Sign somebody in, in a browser of their own."""
        browser = requests.Session()
        headers = {"X-Daas-Subject": name, "X-Daas-Proof": self._secret}
        return Person(self.portal, browser, browser.get(f"{self.portal.url}/hub/proxy_login", headers=headers))


@contextmanager
def with_limits(more: str) -> Iterator[QueuePortal]:
    """Run a portal of anna and ben with room for ten sessions, and these lines in its configuration."""
    made = QueuePortal(["anna", "ben"], 10, more)
    try:
        yield made
    finally:
        made.portal.stop()
        kill_rest(made.portal)
        remove(made.portal)


def press(person: Person, session: str = "one", **fields: str) -> str:
    """Launch a terminal through the form; return the words of the page that follows."""
    answer = person.post("/hub/launch", {"application": "terminal", "session_name": session} | fields)
    return plain_text(answer)


def state_of(person: Person, session: str = "one") -> str:
    """Return the state of a session's card; "" without a card."""
    card = person.get("/hub/home").text.partition(f'id="session-{session}"')[2]
    return card.partition('data-state="')[2].partition('"')[0]
