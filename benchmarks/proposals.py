"""The list of proposals of somebody who has 50,000, compared with somebody who has 20, in a whole portal.

    python -m benchmarks.proposals

A user office of the CALIPSOplus contract runs next to it. Once it makes the pages (the usual settings), once all are
read into the portal and searched and sorted there. Every request is another page, order or search, so that nothing
but the proposals themselves is remembered.
"""

from __future__ import annotations

import argparse
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.live_portal import Person, Portal, new_state, remove, start_portal
from tests.stand_ins.calipsoplus import UserOffice, experiment
from tests.stand_ins.running import running_beside

from .machine import goal_max, median, percentile, section, spread, spread_head, table
from .processes import pss_mib

MANY, FEW = 50_000, 20
WANTED_P95_MS = 300.0
WANTED_WHOLE_MIB = 400.0

CONFIG = """
c.Facility.proposals = "calipsoplus"
c.CalipsoplusProposals.url = "{url}/services/experiments/$USERNAME/"
c.CalipsoplusProposals.user = "portal"
c.CalipsoplusProposals.password_file = "{secret}"
c.CalipsoplusProposals.timeout_s = 120
"""
WHOLE = """
c.CalipsoplusProposals.page_above = 60_000
c.CalipsoplusProposals.max_records = 60_000
c.CalipsoplusProposals.page_size = 5000
c.Facility.cache_s = 3600
"""


def office() -> UserOffice:
    """Return an office where anna has many experiments and ben a few."""
    words = ("glass", "foils", "enamel", "zeolite", "lysozyme", "perovskite", "alloy", "ceramic")

    def made(number: int) -> dict[str, object]:
        day = f"20{10 + number % 16}-{1 + number % 12:02}-{1 + number % 28:02}T08:00:00Z"
        session = experiment(7)["sessions"][0] | {"start_date": day}
        title = f"{words[number % 8]} and {words[number // 8 % 8]}, sample {number}"
        more = {"proposal_id": f"MA-{number:05}", "subject": title, "body": "Trace elements. " * 20, "gid": None}
        return experiment(7, **more | {"beam_line": f"ID{number % 40:02}", "sessions": [session]})

    return UserOffice(experiments={"anna": [made(n) for n in range(MANY)], "ben": [made(n) for n in range(FEW)]})


@contextmanager
def portal_with(url: str, more: str) -> Iterator[Portal]:
    """Run a portal with that office."""
    state = new_state()
    secret = Path(state) / "office-password"
    secret.touch(0o600)
    secret.write_text("portal-password\n")
    portal = start_portal(state=state, more_config=CONFIG.format(url=url, secret=secret) + more)
    try:
        yield portal
    finally:
        portal.stop()
        remove(portal)


def questions(count: int, sorts: tuple[str, ...]) -> list[str]:
    """Return different questions: pages of all, and pages of what a word finds."""
    dice = random.Random(1)  # the same questions in every run
    found: dict[str, None] = {}
    while len(found) < count:
        sort = dice.choice(sorts)
        search = f"&search={dice.choice(('alloy', 'glass', 'MA-4', 'sample 123'))}" if len(found) % 3 == 0 else ""
        found[f"sort={sort}&page={dice.randint(1, 5 if search else MANY // 20)}{search}"] = None
    return list(found)


def timed(person: Person, path: str, words: str) -> float:
    """Ask for a page; give the milliseconds until all of it is there."""
    begun = time.perf_counter()
    answer = person.get(path)
    took = (time.perf_counter() - begun) * 1000
    if answer.status_code != 200 or words not in answer.text:
        raise RuntimeError(f"{path}: {answer.status_code}, without {words!r}")
    return took


def timed_office(session: requests.Session, url: str, question: str) -> float:
    """Ask the office itself what the portal asks it for such a page."""
    fields = dict(part.partition("=")[::2] for part in question.split("&"))
    column = fields["sort"].removeprefix("-")
    sign = "-" if fields["sort"].startswith("-") else ""
    names = {"id": "proposal_id", "title": "subject", "beamlines": "beam_line"}
    asked = {"page": fields["page"], "page_size": "20", "ordering": sign + names[column]}
    asked |= {"search": fields["search"]} if "search" in fields else {}
    begun = time.perf_counter()
    answer = session.get(f"{url}/services/experiments/anna/", params=asked, auth=("portal", "portal-password"))
    answer.raise_for_status()
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    """Run both, and print the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=150)
    count = parser.parse_args().requests
    rows: list[list[object]] = []
    verdicts: list[str] = []
    with running_beside(office().app()) as url:
        for label, more, sorts in (
            ("the office makes the pages", "", ("id", "-id", "title", "-title")),
            ("all are read into the portal", WHOLE, ("id", "-id", "title", "-latest", "latest", "beamlines")),
        ):
            with portal_with(url, more) as portal:
                ben = portal.login("ben")
                for _ in range(20):
                    timed(ben, f"/hub/home?{secrets.token_hex(2)}", "MA-00001")
                before = pss_mib(portal.process.pid)
                # the login ends on the list, and that is when the proposals are asked for first
                begun = time.perf_counter()
                anna = portal.login("anna")
                first = (time.perf_counter() - begun) * 1000
                timed(anna, "/hub/home?sort=id", "of 50,000 proposals")
                few: list[float] = []
                many: list[float] = []
                floor: list[float] = []
                with requests.Session() as session:
                    for question in questions(count, sorts):
                        few.append(timed(ben, "/hub/home?sort=id", "MA-00001"))
                        many.append(timed(anna, f"/hub/home?{question}", "proposals"))
                        if not more:
                            floor.append(timed_office(session, url, question))
                grown = pss_mib(portal.process.pid) - before
                own = median(a - b for a, b in zip(many, floor, strict=True)) if floor else median(many)
                ratio = percentile(many, 0.95) / percentile(few, 0.95)
                rows.append([label, "20", *spread(few), *[""] * 6])
                rows.append([
                    label, "50,000", *spread(many), *spread(floor), own, first, grown,
                ])  # fmt: skip
                verdicts.append(goal_max(f"p95 of the page, ms, {label}", percentile(many, 0.95), WANTED_P95_MS))
                verdicts.append(f"- ratio of the p95 to that of somebody with 20: {ratio:.2f}.")
                if more:
                    verdicts.append(goal_max("MiB the hub grew by for 50,000 proposals", grown, WANTED_WHOLE_MIB))
                    verdicts.append(f"- one remembered proposal: {grown * 1024 / MANY:.1f} kB.")
    head = [
        "who makes the pages", "proposals", *spread_head("ms"), *spread_head("the office alone ms"),
        "ours without it p50 ms", "login and first page ms", "the hub grew MiB",
    ]  # fmt: skip
    section(
        "A list of 50,000 proposals",
        "python -m benchmarks.proposals",
        f"{count} different pages, orders and searches of /hub/home, a request at a time, and as often the page of"
        " somebody with 20 proposals. The office is a stand-in in Python that sorts 50,000 records for each question;"
        " its own answer to the same question is the floor.",
        table(head, rows),
        "\n".join(verdicts),
    )


if __name__ == "__main__":
    main()
