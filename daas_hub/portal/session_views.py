"""Sessions as templates render them: state, words, card."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from daas_hub.catalogue import Catalogue
from daas_hub.launch import has_temporary_home, visits_in
from daas_hub.launch_reference import FOR_USERS_ALONE
from daas_hub.lifetime import duration
from daas_hub.portal.assets import icon_address
from daas_hub.portal.places import title_of_place
from daas_hub.portal.views import day_text
from daas_hub.portal.waiting import waiting_words

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


def reference_of(spawner: Any) -> str:
    """Return the reference of a failed launch; "" for a refusal that its user can act on."""
    future: asyncio.Future[Any] | None = getattr(spawner, "_spawn_future", None)
    error = future.exception() if future is not None and future.done() and not future.cancelled() else None
    reason = getattr(error, "reason", "")
    return "" if reason in FOR_USERS_ALONE else str(getattr(spawner, "reference", ""))


#: Attributes of a spawner: what is not as it should be, a disk that is almost full, the end that comes near.
_RUNNING_NOTICES = ("notice", "disk_notice", "end_notice")


def notice_of(spawner: Any) -> str:
    """Return why a session has ended or is not yet stopped, or a warning about a running one; "" for neither."""
    state = session_state(spawner)
    words = {
        "waiting": waiting_words(spawner),
        "running": " ".join(filter(None, (getattr(spawner, name, "") for name in _RUNNING_NOTICES))),
        "ended": getattr(spawner, "ending", ""),
        "stopping": getattr(spawner, "stop_notice", "") if spawner.pending != "stop" else "",
        "unknown": getattr(spawner, "unknown_notice", ""),
    }
    return str(words.get(state, ""))


def extend_words(spawner: Any) -> str:
    """Return the words of the button; "" without a button."""
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
