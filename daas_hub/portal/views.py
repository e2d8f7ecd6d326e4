"""The values that templates render: records as plain values with their labels."""

from __future__ import annotations

import asyncio
import datetime
import functools
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from daas_hub.catalogue import Application, Catalogue, Kind
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import address_of, has_temporary_home, visit_value, visits_in
from daas_hub.lifetime import duration
from daas_hub.portal.assets import icon_address
from daas_hub.portal.places import title_of_place
from daas_hub.portal.waiting import waiting_words
from daas_hub.proposals import LeftOut, Page, Proposal, Query, Visit
from daas_hub.proposals.listing import COLUMNS, VisitOrder, latest
from daas_hub.proposals.model import in_zone

STATE_WORDS = {
    "waiting": "Waiting",
    "starting": "Starting",
    "running": "Running",
    "stopping": "Stopping",
    "failed": "Did not start",
    "ended": "Ended",
    "unknown": "Not known",
}

_STOP_WORDS = {"waiting": "Leave the queue", "starting": "Stop", "running": "Stop"}


#: The names of sessions, as a regular expression; `new_session_name` makes such names.
SESSION_NAME = r"[a-z](?:[a-z0-9]|-(?!-)){0,28}[a-z0-9]"


def new_session_name(application: str) -> str:
    """Return a session name for one launch, made with the page: clicking a button twice starts one session."""
    return f"{application}-{secrets.token_hex(5)}"[-30:].lstrip("-0123456789")


def day_text(moment: datetime.datetime | None, zone: datetime.tzinfo = datetime.UTC) -> str:
    """Return a date in the facility's time zone as text, "" for None."""
    moment = in_zone(moment, zone)
    return f"{moment.day} {moment:%B %Y}" if moment else ""


def day_of_epoch(seconds: float, zone: datetime.tzinfo = datetime.UTC) -> str:
    """Return the date of a Unix time as text."""
    return day_text(datetime.datetime.fromtimestamp(seconds, datetime.UTC), zone)


def age_text(seconds: float) -> str:
    """Return how long ago something was as text, rounded down."""
    for length, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "less than a minute ago"


def source_notice(problem: SourceUnavailable | None, age_s: float | None) -> dict[str, str]:
    """Return the notice to show while the source of proposals is down: `kind` and `words`, "" for none.

    Args:
        age_s: age of the cached list that is shown; None if nothing is shown.
    """
    if problem is None:
        return {"kind": "", "words": ""}
    if age_s is None:
        return {"kind": "bad", "words": str(problem)}
    words = (
        f"{problem.message} The proposals below were loaded {age_text(age_s)}. Nothing can be launched on them until "
        "it responds again; your own resources and running sessions are not affected."
    )
    return {"kind": "old", "words": words}


def left_out_view(left_out: Sequence[LeftOut]) -> list[dict[str, str]]:
    """Return the records that could not be used, each once, for a notice."""
    return [{"id": one.id, "reason": one.reason} for one in dict.fromkeys(left_out)]


def button_view(
    hub_url: str,
    application: Application,
    proposal: Proposal | None,
    visit: Visit | None,
    *,
    several: Sequence[tuple[str, int]] = (),
    temporary_home: bool = False,
) -> dict[str, Any]:
    """Return an application as a button with its form's fields; `several` are visits, if there is more than one."""
    fields = {"application": application.name} | ({"temporary_home": "1"} if temporary_home else {})
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
        "visits": [visit_value(*one) for one in several],
        "temporary_home": temporary_home,
        "session_name": new_session_name(application.name),
    }


def proposal_row(hub_url: str, proposal: Proposal, zone: datetime.tzinfo = datetime.UTC) -> dict[str, Any]:
    """Return a proposal as a row of the list."""
    newest = latest(proposal)
    return {
        "id": proposal.id,
        "title": proposal.title,
        "abstract": _shortened(proposal.abstract),
        "beamlines": list(proposal.beamlines),
        "visit_count": len(proposal.visits),
        "latest_text": day_text(newest, zone),
        "is_upcoming": newest is not None and newest > datetime.datetime.now(datetime.UTC),
        "url": f"{hub_url}proposals/{quote(proposal.id)}",
    }


def visit_view(
    hub_url: str,
    proposal: Proposal,
    visit: Visit,
    offered: Iterable[Application],
    *,
    template: str = "",
    zone: datetime.tzinfo = datetime.UTC,
    button: Callable[[Application, Proposal, Visit], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return a visit with its buttons.

    Args:
        template: the address of its page on another site.
        button: renders a button; `button_view` by default.
    """
    button = button or functools.partial(button_view, hub_url)
    return {
        "number": visit.number,
        "label": visit.label,
        "title": visit.title,
        "start": visit.start.isoformat() if visit.start else "",
        "end": visit.end.isoformat() if visit.end else "",
        "start_text": day_text(visit.start, zone),
        "end_text": day_text(visit.end, zone),
        "applications": [button(application, proposal, visit) for application in offered],
        "url": address_of(template, proposal, visit),
    }


def choosable_view(
    proposal: Proposal, chosen: Collection[tuple[str, int]], zone: datetime.tzinfo = datetime.UTC
) -> dict[str, Any]:
    """Return a proposal with its visits as boxes to check, the latest first."""
    return {
        "id": proposal.id,
        "title": proposal.title,
        "visits": [
            {
                "value": visit_value(proposal.id, visit.number),
                "label": visit.label,
                "title": visit.title,
                "beamline": visit.beamline,
                "day": day_text(visit.start, zone),
                "checked": (proposal.id, visit.number) in chosen,
            }
            for visit in VisitOrder(proposal.visits, datetime.datetime.now(datetime.UTC), zone).newest_first()
        ],
    }


#: Labels of the columns.
COLUMN_WORDS = {"id": "number", "title": "title", "beamlines": "beamlines", "latest": "latest visit"}


def listing_view(hub_url: str, page: Page, query: Query, zone: datetime.tzinfo = datetime.UTC) -> dict[str, Any]:
    """Return a page of the list, with links to its other pages and sort orders.

    Args:
        query: the request; a source that does not support its sort order uses another, and the page says so.
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
        "proposals": [proposal_row(hub_url, proposal, zone) for proposal in page.proposals],
        "total": page.total,
        "search": page.search,
        # links keep the requested order, for searches that support it
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
    """Return how many proposals are shown of how many; "" if the list is complete."""
    if page.search:
        matching = f"{page.total:,}" if page.of is None else f"{page.total:,} of {page.of:,}"
        one = page.total == 1 if page.of is None else page.of == 1
        return f"{matching} {'proposal' if one else 'proposals'} {'matches' if page.total == 1 else 'match'}"
    if page.pages == 1:
        return ""
    first = (page.page - 1) * query.page_size + 1
    return f"{first:,} to {min(first + query.page_size - 1, page.total):,} of {page.total:,} proposals"


def difference_words(page: Page, query: Query) -> str:
    """Return how a list differs from the request, in order or in search; "" if it does not."""
    words = []
    if page.is_phrase:
        words.append("your words are searched as one phrase")
    if page.sort != query.sort:
        has = f"by {COLUMN_WORDS[page.sort.removeprefix('-')]}" if page.sort else "as the catalogue lists them"
        asked = COLUMN_WORDS[query.sort.removeprefix("-")]
        words.append(f"sorting by {asked} is not available, so they are sorted {has}")
    return f"This list is too long to load at once: {', and '.join(words)}." if words else ""


def session_state(spawner: Any) -> str:
    """Return the state of a session, a key of `STATE_WORDS`."""
    if getattr(spawner, "is_unknown", False):
        return "unknown"
    pending = spawner.pending
    if pending == "stop" or getattr(spawner, "stop_wanted", False):
        return "stopping"
    if pending:
        return "starting"
    if spawner.ready:
        return "running"
    if waiting_words(spawner):
        return "waiting"
    return "failed" if failure_of(spawner) else "ended"


#: Of spawners that keep no reason themselves.
_TOO_SLOW = "It did not start in time. Please launch again; if the problem persists, contact the administrators."


def failure_of(spawner: Any) -> str:
    """Return why the last start failed; "" if it did not."""
    future = getattr(spawner, "_spawn_future", None)
    if future is None:
        # of an earlier process of the hub
        return str(getattr(spawner, "failure", ""))
    if not future.done():
        return ""
    if future.cancelled():
        return "The launch was cancelled."
    error = future.exception()
    if error is None:
        return ""
    if isinstance(error, TimeoutError):
        return str(getattr(spawner, "failure", "")) or _TOO_SLOW
    # the text of an OSError or of a bug is for the log, not for a page
    words = (
        getattr(error, "jupyterhub_message", "") or "The portal could not start it. Please contact the administrators."
    )
    return str(words)


#: Reasons of refusals that need no administrator.
_FOR_USERS_ALONE = ("refused", "request")


def reference_of(spawner: Any) -> str:
    """Return the reference of a failed launch; "" for a refusal that its user can act on."""
    future: asyncio.Future[Any] | None = getattr(spawner, "_spawn_future", None)
    error = future.exception() if future is not None and future.done() and not future.cancelled() else None
    reason = getattr(error, "reason", "")
    return "" if reason in _FOR_USERS_ALONE else str(getattr(spawner, "reference", ""))


def notice_of(spawner: Any) -> str:
    """Return why a session has ended or is not yet stopped, or a warning about a running one; "" for neither."""
    state = session_state(spawner)
    words = {
        "waiting": waiting_words(spawner),
        "running": " ".join(filter(None, (getattr(spawner, "notice", ""), getattr(spawner, "end_notice", "")))),
        "ended": getattr(spawner, "ending", ""),
        "stopping": getattr(spawner, "stop_notice", "") if spawner.pending != "stop" else "",
        "unknown": getattr(spawner, "unknown_notice", ""),
    }
    return str(words.get(state, ""))


def extend_words(spawner: Any) -> str:
    """Return the words of the button; "" where there is none."""
    if getattr(spawner, "can_keep", False):
        return "Still in use"
    if getattr(spawner, "can_extend", False):
        return f"Extend by {duration(spawner.lifetime.limits.extension_s)}"
    return ""


def session_card(
    hub_url: str,
    spawner: Any,
    catalogue: Catalogue,
    titles: Mapping[str, str],
    zone: datetime.tzinfo = datetime.UTC,
    *,
    places: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return a session as a card; `places` are the titles of places by name."""
    options = spawner.orm_spawner.user_options or {}
    application = catalogue.applications.get(str(options.get("application", "")))
    visits = visits_in(options)
    only = visits[0] if len(visits) == 1 else ("", None)
    state = session_state(spawner)
    # the hub's database has UTC
    started = spawner.orm_spawner.started
    started = started.replace(tzinfo=datetime.UTC).astimezone(zone) if started else None
    page_url = f"{hub_url}sessions/{spawner.name}"
    return {
        "name": spawner.name,
        "title": application.title if application else (spawner.orm_spawner.display_name or spawner.name),
        "icon_url": icon_address(hub_url, application),
        "proposal_id": only[0],
        "proposal_title": titles.get(only[0], ""),
        "visit_number": "" if only[1] is None else only[1],
        "proposal_ids": list(dict(visits)),
        "several": proposals_with_visits(visits, titles) if len(visits) > 1 else [],
        "place": title_of_place(str(getattr(spawner, "place", "")), places),
        "since": started.isoformat() if started else "",
        "since_text": f"{started:%H:%M} {started:%Z}, {day_text(started, zone)}" if started else "",
        "state": state,
        "state_text": STATE_WORDS[state],
        "notice": notice_of(spawner),
        "temporary_home": has_temporary_home(options),
        "open_url": spawner.session_url,
        "page_url": page_url,
        "stop_url": f"{page_url}/stop",
        "can_open": state == "running",
        # an ended session stays listed until it is removed, so that its owner learns why it ended
        "can_stop": state not in ("stopping", "unknown"),
        # only the person knows whether its application has something unsaved
        "asks_before_stop": state == "running",
        "extend_url": f"{page_url}/extend",
        "extend_words": extend_words(spawner) if state == "running" else "",
        "stop_words": _STOP_WORDS.get(state, "Remove"),
    }


def title_of_session(card: Mapping[str, Any]) -> str:
    """Return the title of a session's page, by which tabs differ."""
    if card["several"]:
        on = "; ".join(f"{one['id']} visits {', '.join(map(str, one['visits']))}" for one in card["several"])
    else:
        on = card["proposal_id"] or "own resources"
        on += f" visit {card['visit_number']}" if card["visit_number"] != "" else ""
    return f"{card['title']} – {on}"


def proposals_with_visits(visits: Iterable[tuple[str, int | None]], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return several visits by proposal."""
    found: dict[str, dict[str, Any]] = {}
    for proposal, visit in visits:
        one = found.setdefault(proposal, {"id": proposal, "title": titles.get(proposal, ""), "visits": []})
        one["visits"].append(visit)
    return list(found.values())


def _shortened(text: str, length: int = 220) -> str:
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0] + " …"
