"""The home page of a portal that knows 10,000 people, who have 50,000 proposals, beside one that knows a hundred.

    python -m benchmarks.people

A user office of the CALIPSOplus contract and an accounts table run next to it. Everybody signs in through a web server
in front, so that no login provider is measured. Pages are of people at random: for most of them the office is asked.
"""

from __future__ import annotations

import argparse
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.live_portal import Portal, new_state, remove, start_portal
from tests.stand_ins.calipsoplus import UserOffice, experiment
from tests.stand_ins.running import running_beside

from .machine import goal_max, percentile, section, spread, spread_head, table
from .processes import pss_mib

PEOPLE, EACH, FIRST = 10_000, 5, 100
WANTED_P95_MS = 300.0
#: Above what it holds with a hundred people: a person costs a login and its cookies, no more.
WANTED_MIB = 400.0
ISSUER = "https://proxy.example.org"

CONFIG = """
c.UmbrellaAuthenticator.trusted_proxy = {{"issuer": "{issuer}", "secret_file": "{secret}", "proof": "secret"}}
c.Facility.accounts_file = "{accounts}"
c.Facility.proposals = "calipsoplus"
c.CalipsoplusProposals.url = "{url}/services/experiments/$USERNAME/"
c.CalipsoplusProposals.user = "portal"
c.CalipsoplusProposals.password_file = "{office}"
"""


def name_of(number: int) -> str:
    """Return the name of a person."""
    return f"p{number:05}"


def office(people: int) -> UserOffice:
    """Return an office where everybody has a few experiments."""

    def made(number: int, one: int) -> dict[str, object]:
        title = f"Trace elements of sample {number}, part {one}"
        return experiment(7, proposal_id=f"MA-{number * EACH + one:06}", subject=title, gid=None)

    return UserOffice(experiments={name_of(n): [made(n, one) for one in range(EACH)] for n in range(people)})


@contextmanager
def portal_of(people: int, url: str) -> Iterator[tuple[Portal, str]]:
    """Run a portal for them; with the secret of the web server in front."""
    state = new_state()
    secret = secrets.token_hex(32)
    for name, text in (("proxy", secret), ("office", "portal-password")):
        file = state / name
        file.touch(0o600)
        file.write_text(f"{text}\n")
    accounts = state / "accounts.yaml"
    lines = [
        f"  - {{name: {name_of(n)}, uid: {20000 + n}, gid: {20000 + n}, "
        f'logins: [{{issuer: "{ISSUER}", subject: {name_of(n)}}}]}}'
        for n in range(people)
    ]
    accounts.write_text("accounts:\n" + "\n".join(lines) + "\n")
    config = CONFIG.format(issuer=ISSUER, secret=state / "proxy", office=state / "office", accounts=accounts, url=url)
    portal = start_portal(state=state, more_config=config)
    try:
        yield portal, secret
    finally:
        portal.stop()
        remove(portal)


def sign_in(portal: Portal, secret: str, number: int) -> requests.cookies.RequestsCookieJar:
    """Sign somebody in; give the cookies. The home page that follows is part of it."""
    with requests.Session() as browser:
        headers = {"X-Daas-Subject": name_of(number), "X-Daas-Proof": secret}
        answer = browser.get(f"{portal.url}/hub/proxy_login", headers=headers, timeout=60)
        if answer.status_code != 200 or f"MA-{number * EACH:06}" not in answer.text:
            raise RuntimeError(f"{name_of(number)}: {answer.status_code} {Path(answer.url).name}")
        return browser.cookies


def pages(portal: Portal, cookies: Sequence[requests.cookies.RequestsCookieJar], count: int) -> list[float]:
    """Open home pages of different people; give milliseconds each."""
    dice = random.Random(1)  # the same people in every run
    took = []
    for jar in (cookies[dice.randrange(len(cookies))] for _ in range(count)):
        milliseconds, answer = timed(f"{portal.url}/hub/home", jar)
        took.append(milliseconds)
        if answer.status_code != 200 or "MA-" not in answer.text:
            raise RuntimeError(f"home: {answer.status_code}")
    return took


def timed(url: str, jar: requests.cookies.RequestsCookieJar) -> tuple[float, requests.Response]:
    """Request a page; give the milliseconds that it took, and the answer."""
    begun = time.perf_counter()
    answer = requests.get(url, cookies=jar, timeout=60)
    return (time.perf_counter() - begun) * 1000, answer


def main() -> None:
    """Run it, and print the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--pages", type=int, default=300)
    options = parser.parse_args()
    with running_beside(office(options.people).app()) as url, portal_of(options.people, url) as (portal, secret):
        cookies = [sign_in(portal, secret, number) for number in range(FIRST)]
        pages(portal, cookies, 50)
        few = pages(portal, cookies, options.pages)
        before = pss_mib(portal.process.pid)
        begun = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            cookies += pool.map(lambda number: sign_in(portal, secret, number), range(FIRST, options.people))
        rate = (options.people - FIRST) / (time.perf_counter() - begun)
        many = pages(portal, cookies, options.pages)
        floor = [timed(f"{portal.url}/hub/health", cookies[0])[0] for _ in range(options.pages)]
        grown = pss_mib(portal.process.pid) - before
    rows: list[list[object]] = [
        [f"{FIRST}", *spread(few), ""],
        [f"{options.people:,}", *spread(many), grown],
        ["floor: `/hub/health`", *spread(floor), ""],
    ]
    section(
        f"A portal that knows {options.people:,} people",
        "python -m benchmarks.people",
        f"{options.people:,} people with {EACH} proposals each in a user office of the CALIPSOplus contract; all of"
        f" them sign in ({rate:.0f} a second, four at a time, with their first page). Then {options.pages} home pages"
        " of people at random, a request at a time.",
        table(["people", *spread_head("page ms"), "the hub grew MiB"], rows),
        "\n".join(
            [
                goal_max("p95 of the page, ms", percentile(many, 0.95), WANTED_P95_MS),
                goal_max("MiB the hub grew by", grown, WANTED_MIB),
                f"- ratio of the p95 to that with {FIRST}: {percentile(many, 0.95) / percentile(few, 0.95):.2f}.",
            ]
        ),
    )


if __name__ == "__main__":
    main()
