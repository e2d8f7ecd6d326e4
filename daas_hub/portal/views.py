"""The values that templates render: records as plain values with their labels."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any
from urllib.parse import quote

from daas_hub.catalogue import Application, Kind
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import address_of, visit_value
from daas_hub.portal.assets import icon_address
from daas_hub.portal.session_names import new_session_name
from daas_hub.proposals import LeftOut, Page, Proposal, Query, Visit
from daas_hub.proposals.listing import COLUMNS, VisitOrder, latest
from daas_hub.proposals.model import in_zone


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


def _shortened(text: str, length: int = 220) -> str:
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0] + " …"
