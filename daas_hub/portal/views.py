"""What templates are given: records turned into plain values with their words."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from daas_hub.catalogue import Application, Catalogue, Kind
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import address_of
from daas_hub.portal.assets import icon_address
from daas_hub.proposals import Page, Proposal, Query, Visit
from daas_hub.proposals.listing import COLUMNS, latest

STATE_WORDS = {
    "starting": "Starting",
    "running": "Running",
    "stopping": "Stopping",
    "failed": "Did not start",
    "ended": "Ended",
}


def new_session_name(application: str) -> str:
    """Return a name for one launch. It is made when the page is, so pressing twice starts one session, not two."""
    return f"{application}-{secrets.token_hex(5)}"[-30:].lstrip("-0123456789")


def day_text(moment: datetime.datetime | None) -> str:
    """Return a day in words, "" for none."""
    return f"{moment.day} {moment:%B %Y}" if moment else ""


def day_of_epoch(seconds: float) -> str:
    """Return the day of a moment that is told in seconds since 1970, in words."""
    return day_text(datetime.datetime.fromtimestamp(seconds, datetime.UTC))


def age_text(seconds: float) -> str:
    """Return how long ago something was, in words, rounded down."""
    for length, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "less than a minute ago"


def source_notice(problem: SourceUnavailable | None, age_s: float | None) -> dict[str, str]:
    """Return what a page says while the source of proposals is down: `kind` of the notice and `words`, "" for nothing.

    Args:
        age_s: how old the list is that is shown nevertheless; None if none is shown.
    """
    if problem is None:
        return {"kind": "", "words": ""}
    if age_s is None:
        return {"kind": "bad", "words": str(problem)}
    words = (
        f"{problem.message} You see the proposals as they were {age_text(age_s)}. Nothing can be started on them until "
        "it answers again; your own resources and running sessions are not concerned."
    )
    return {"kind": "old", "words": words}


def button_view(
    hub_url: str, application: Application, proposal: Proposal | None, visit: Visit | None
) -> dict[str, Any]:
    """Return one application as a button, with the fields its form posts."""
    fields = {"application": application.name}
    if proposal is not None and visit is not None:
        fields |= {"proposal": proposal.id, "visit": str(visit.number)}
    return {
        "name": application.name,
        "title": application.title,
        "description": application.description,
        "icon_url": icon_address(hub_url, application),
        "kind": str(application.kind),
        "url": application.url if application.kind is Kind.LINK else "",
        "fields": fields,
        "session_name": new_session_name(application.name),
    }


def proposal_row(hub_url: str, proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as a row of the list."""
    return {
        "id": proposal.id,
        "title": proposal.title,
        "abstract": _shortened(proposal.abstract),
        "beamlines": list(proposal.beamlines),
        "visit_count": len(proposal.visits),
        "latest_text": day_text(latest(proposal)),
        "url": f"{hub_url}proposals/{quote(proposal.id, safe='')}",
    }


def visit_view(
    hub_url: str, proposal: Proposal, visit: Visit, offered: Iterable[Application], template: str = ""
) -> dict[str, Any]:
    """Return a visit with its buttons; `template` is where it has a page of its own, elsewhere."""
    return {
        "number": visit.number,
        "label": visit.label,
        "title": visit.title,
        "start": visit.start.isoformat() if visit.start else "",
        "end": visit.end.isoformat() if visit.end else "",
        "start_text": day_text(visit.start),
        "end_text": day_text(visit.end),
        "applications": [button_view(hub_url, application, proposal, visit) for application in offered],
        "url": address_of(template, proposal, visit),
        "problem": "",
    }


#: What a page calls the columns.
COLUMN_WORDS = {"id": "number", "title": "title", "beamlines": "beamlines", "latest": "latest visit"}


def listing_view(hub_url: str, page: Page, query: Query) -> dict[str, Any]:
    """Return one page of a list, with the addresses of its other pages and orders.

    Args:
        query: what was asked for; a source that cannot sort so has another order, and the page says so.
    """

    def address(sort: str, number: int) -> str:
        search = f"search={quote(page.search, safe='')}&" if page.search else ""
        return f"{hub_url}home?{search}sort={sort}&page={number}#proposals"

    links = {}
    for column in COLUMNS:
        direction = {column: "asc", f"-{column}": "desc"}.get(page.sort, "")
        url = address(f"-{column}" if direction == "asc" else column, 1) if column in page.sorts else ""
        links[column] = {"url": url, "direction": direction}
    return {
        "proposals": [proposal_row(hub_url, proposal) for proposal in page.proposals],
        "total": page.total,
        "search": page.search,
        # the order that was asked for is kept in links, so that a search that can have it does
        "sort": query.sort,
        "page_number": page.page,
        "page_count": page.pages,
        "count_words": count_words(page, query),
        "difference_words": difference_words(page, query),
        "sort_links": links,
        "first_url": address(page.sort, 1) if page.page > 2 else "",
        "previous_url": address(page.sort, page.page - 1) if page.page > 1 else "",
        "next_url": address(page.sort, page.page + 1) if page.page < page.pages else "",
        "last_url": address(page.sort, page.pages) if page.page < page.pages - 1 else "",
    }


def count_words(page: Page, query: Query) -> str:
    """Return how many of how many are shown; "" where the list itself says it."""
    if page.search:
        matching = f"{page.total:,}" if page.of is None else f"{page.total:,} of {page.of:,}"
        one = page.total == 1 if page.of is None else page.of == 1
        return f"{matching} {'proposal' if one else 'proposals'} {'matches' if page.total == 1 else 'match'}"
    if page.pages == 1:
        return ""
    first = (page.page - 1) * query.page_size + 1
    return f"{first:,} to {min(first + query.page_size - 1, page.total):,} of {page.total:,} proposals"


def difference_words(page: Page, query: Query) -> str:
    """Return in what a list is not what was asked for: its order, or how words were looked for; "" if it is."""
    words = []
    if page.is_phrase:
        words.append("it looks for your words as they stand, one after the other")
    if page.sort != query.sort:
        has = f"by {COLUMN_WORDS[page.sort.removeprefix('-')]}" if page.sort else "as they come"
        asked = COLUMN_WORDS[query.sort.removeprefix("-")]
        words.append(f"it cannot sort by {asked}, so they are sorted {has}")
    return f"There are so many that their source makes the pages: {', and '.join(words)}." if words else ""


def session_state(spawner: Any) -> str:
    """Return the state of a session in our words, from the hub's record of it."""
    pending = spawner.pending
    if pending == "stop":
        return "stopping"
    if pending:
        return "starting"
    if spawner.ready:
        return "running"
    return "failed" if failure_of(spawner) else "ended"


def failure_of(spawner: Any) -> str:
    """Return why the last start failed; "" if it did not."""
    future = getattr(spawner, "_spawn_future", None)
    if future is None or not future.done():
        return ""
    if future.cancelled():
        return "The launch was stopped."
    error = future.exception()
    if error is None:
        return ""
    if isinstance(error, TimeoutError):
        return "It did not answer in time. Please launch again; if it stays, tell the administrators."
    # a TimeoutError, an OSError or a bug has words for the log, not for a page
    words = getattr(error, "jupyterhub_message", "") or "The portal could not start it. Please tell the administrators."
    return str(words)


def notice_of(spawner: Any) -> str:
    """Return what there is to say of a session that runs or has ended: why, or what is the matter; "" for nothing."""
    state = session_state(spawner)
    words = {"running": getattr(spawner, "notice", ""), "ended": getattr(spawner, "ending", "")}
    return str(words.get(state, ""))


def session_card(
    hub_url: str, user_url: str, spawner: Any, catalogue: Catalogue, titles: Mapping[str, str]
) -> dict[str, Any]:
    """Return a session as a card."""
    options = spawner.orm_spawner.user_options or {}
    application = catalogue.applications.get(str(options.get("application", "")))
    state = session_state(spawner)
    started = spawner.orm_spawner.started
    page_url = f"{hub_url}sessions/{spawner.name}"
    return {
        "name": spawner.name,
        "title": application.title if application else (spawner.orm_spawner.display_name or spawner.name),
        "icon_url": icon_address(hub_url, application),
        "proposal_id": str(options.get("proposal") or ""),
        "proposal_title": titles.get(str(options.get("proposal") or ""), ""),
        "visit_number": options.get("visit") or "",
        "since": started.replace(tzinfo=datetime.UTC).isoformat() if started else "",
        "since_text": f"{started:%H:%M} UTC, {day_text(started)}" if started else "",
        "state": state,
        "state_text": STATE_WORDS[state],
        "notice": notice_of(spawner),
        "open_url": f"{user_url}{spawner.name}/",
        "page_url": page_url,
        "stop_url": f"{page_url}/stop",
        "can_open": state == "running",
        # an end is a card until it is taken away: whoever comes back must find out what happened
        "can_stop": state != "stopping",
        "stop_words": "Stop" if state in ("starting", "running") else "Remove",
    }


def _shortened(text: str, length: int = 220) -> str:
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0] + " …"
