"""Requests with a body reach a session, and their answers come back, all of them, also on a busy machine."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.live_portal import Portal

pytestmark = pytest.mark.sandbox


def test_no_answer_is_lost_on_the_way(portal: Portal) -> None:
    """Some in a hundred were, while the proxy's last write met a closed connection."""
    person = portal.login("carla")
    name = person.launch("terminal")
    path = f"/user/{person.name}/{name}/"
    person.get(path)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)
    headers = {"Cookie": cookies, "Origin": portal.url, "X-Daas-Request": "1"}

    def press(number: int) -> int:
        body = b"x" * (10, 3000, 20_000)[number % 3]
        return requests.post(f"{portal.url}{path}application", data=body, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(6) as presses:
        assert Counter(presses.map(press, range(400))) == {204: 400}
    person.stop(name)
