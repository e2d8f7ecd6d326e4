"""What templates are given: plain values, addresses that cannot be bent, states and failures in words.

Whether hostile text stays inert on the page is seen in a real browser (tests/browser, C6).
"""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyterhub.slugs import is_valid_safe_slug

from daas_hub.catalogue import Application, Catalogue, Kind
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import content_of
from daas_hub.portal.session_names import new_session_name
from daas_hub.portal.session_views import failure_of, session_card, session_state, title_of_session
from daas_hub.portal.views import (
    age_text,
    button_view,
    count_words,
    day_text,
    difference_words,
    listing_view,
    proposal_row,
    source_notice,
    visit_view,
)
from daas_hub.proposals import Page, Proposal, Query, Visit
from daas_hub.proposals.listing import COLUMNS, Listing, question_of
from daas_hub.proposals.reading import time_of

HUB = "/portal/hub/"
LAB = Application("jupyterlab", "JupyterLab", Kind.NOTEBOOK)
LINK = Application("guide", "Guide", Kind.LINK, url="https://example.org/guide")
MARCH = datetime.datetime(2026, 3, 9, 8, tzinfo=datetime.UTC)
VISIT = Visit(2, "Glass", "ID21", MARCH, None, ("/data/visitor/MA-4242/ID21/2",))
GLASS = Proposal("MA-4242", "Roman glass", beamlines=("ID21",), visits=(VISIT,))


def spawner(**state: Any) -> Any:
    """Return what the hub tells of a session, as far as the portal looks at it."""
    record = SimpleNamespace(
        user_options=state.pop("options", {}),
        display_name=state.pop("display_name", ""),
        started=state.pop("started", None),
    )
    address = "/portal/user/u1/jupyterlab-0123456789/"
    told = {
        "name": "jupyterlab-0123456789",
        "session_url": address,
        "pending": None,
        "ready": False,
        "_spawn_future": None,
    } | state
    return SimpleNamespace(orm_spawner=record, **told)


def ended_with(error: BaseException | None, *, cancelled: bool = False) -> Any:
    """Return the future of a start that is over (one without a loop, so that it can stand in a table)."""
    return SimpleNamespace(done=lambda: True, cancelled=lambda: cancelled, exception=lambda: error)


class WithWords(Exception):
    """An error as our spawners raise it."""

    jupyterhub_message = "There is no proposal MA-1 among yours."


# -- names of sessions ---------------------------------------------------------------------------------------------


@given(st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4}){0,2}", fullmatch=True))
@settings(max_examples=100)
def test_a_session_name_is_one_the_hub_takes(application: str) -> None:
    """C3: whatever the catalogue calls an application."""
    name = new_session_name(application)
    assert is_valid_safe_slug(name), name
    assert name.startswith(application)


def test_two_session_names_differ() -> None:
    """Forty random bits: two open pages are two sessions."""
    assert len({new_session_name("lab") for _ in range(1000)}) == 1000


# -- rows, buttons, links ------------------------------------------------------------------------------------------


def test_a_button_posts_ids_and_nothing_else() -> None:
    view = button_view(HUB, LAB, GLASS, VISIT)
    assert view["fields"] == {"application": "jupyterlab", "proposal": "MA-4242", "visit": "2"}
    assert view["url"] == ""
    assert view["kind"] == "notebook"
    assert button_view(HUB, LAB, None, None)["fields"] == {"application": "jupyterlab"}


def test_only_a_link_has_an_address() -> None:
    """R20."""
    assert button_view(HUB, LINK, None, None)["url"] == "https://example.org/guide"


def test_no_view_shows_a_path_of_the_storage() -> None:
    shown = repr([visit_view(HUB, GLASS, VISIT, [LAB]), proposal_row(HUB, GLASS), button_view(HUB, LAB, GLASS, VISIT)])
    assert "/data/visitor" not in shown


def test_a_long_abstract_is_cut_between_words() -> None:
    row = proposal_row(HUB, Proposal("P-1", "t", abstract="word " * 100))
    assert len(row["abstract"]) <= 222
    assert row["abstract"].endswith("word …")
    assert proposal_row(HUB, Proposal("P-1", "t", abstract="a" * 220))["abstract"] == "a" * 220


def test_a_proposal_without_visits_has_no_date() -> None:
    row = proposal_row(HUB, Proposal("P-1", "t"))
    assert (row["visit_count"], row["latest_text"], row["url"]) == (0, "", f"{HUB}proposals/P-1")


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        pytest.param(MARCH, "9 March 2026", id="day without a leading zero"),
        pytest.param(None, "", id="none"),
        pytest.param(datetime.datetime(1, 1, 1, tzinfo=datetime.UTC), "1 January 1", id="G2 the first year"),
        pytest.param(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC), "31 December 9999", id="G2 the last year"),
    ],
)
def test_day_text(moment: datetime.datetime | None, words: str) -> None:
    assert day_text(moment).replace(" 0001", " 1") == words


@given(st.text(max_size=30))
@settings(max_examples=100)
def test_links_of_a_list_stay_on_the_page_and_keep_the_search(search: str) -> None:
    """E3, C6: whatever was searched for, the address is ours and carries it back unchanged."""
    many = [Proposal(f"P-{index}", search) for index in range(45)]
    query = question_of(search=search, sort="id", page="2")
    listing = Listing(many).page(query)
    links = listing_view(HUB, listing, query)
    addresses = [links["previous_url"], links["next_url"], *(one["url"] for one in links["sort_links"].values())]
    for address in filter(None, addresses):
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == ("", "", f"{HUB}home", "proposals")
        asked = parse_qs(parts.query, keep_blank_values=True)
        assert set(asked) <= {"search", "sort", "page"}
        assert asked.get("search", [""]) == [listing.search]


def test_links_turn_the_order_round() -> None:
    query = Query("", "id")
    links = listing_view(HUB, Listing([GLASS]).page(query), query)
    assert set(links["sort_links"]) == set(COLUMNS)
    assert links["sort_links"]["id"] == {"url": f"{HUB}home?sort=-id&page=1#proposals", "direction": "asc"}
    assert links["sort_links"]["title"] == {"url": f"{HUB}home?sort=title&page=1#proposals", "direction": ""}
    assert (links["previous_url"], links["next_url"]) == ("", "")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param(Page((), 4, "", "id", 1, 1, of=4), "", id="all on one page"),
        pytest.param(Page((), 50_000, "", "id", 2, 2500, of=50_000), "21 to 40 of 50,000 proposals", id="a page"),
        pytest.param(Page((), 41, "", "id", 3, 3), "41 to 41 of 41 proposals", id="the last page"),
        pytest.param(Page((), 12, "x", "id", 1, 1, of=50_000), "12 of 50,000 proposals match", id="some of them"),
        pytest.param(Page((), 1, "x", "id", 1, 1, of=50_000), "1 of 50,000 proposals matches", id="one of them"),
        pytest.param(Page((), 1, "x", "id", 1, 1), "1 proposal matches", id="nobody knows of how many"),
    ],
)
def test_how_many_of_how_many(page: Page, words: str) -> None:
    assert count_words(page, Query("", "id", page.page)) == words


def test_a_source_that_cannot_sort_so_says_so() -> None:
    """No wrong order without a word, and no link to an order that is not to be had."""
    page = Page((GLASS,), 50_000, "", "-id", 1, 2500, ("id", "title"))
    view = listing_view(HUB, page, Query("", "-latest"))
    assert "sorting by latest visit is not available, so they are sorted by number" in view["difference_words"]
    assert [name for name, link in view["sort_links"].items() if link["url"]] == ["id", "title"]
    assert view["sort_links"]["id"]["direction"] == "desc"
    assert (view["first_url"], view["previous_url"]) == ("", "")
    assert view["last_url"].endswith("page=2500#proposals")
    phrase = difference_words(Page((), 0, "a b", "", 1, 1, is_phrase=True), Query("a b"))
    assert "your words are searched as one phrase, and sorting by latest visit is not available" in phrase
    assert "sorted as the catalogue lists them" in difference_words(Page((), 0, "", "", 1, 1), Query())
    assert difference_words(Page((), 0, "", "-latest", 1, 1), Query()) == ""


# -- sessions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "state"),
    [
        pytest.param({"pending": "spawn"}, "starting", id="being started"),
        pytest.param({"pending": "check"}, "starting", id="being looked for after a restart"),
        pytest.param({"pending": "stop", "ready": True}, "stopping", id="being stopped"),
        pytest.param({"ready": True}, "running", id="ready"),
        pytest.param({}, "ended", id="neither"),
        pytest.param({"_spawn_future": ended_with(WithWords())}, "failed", id="the last start failed"),
        pytest.param({"_spawn_future": ended_with(None)}, "ended", id="the last start was well"),
        pytest.param({"ready": True, "_spawn_future": ended_with(None)}, "running", id="started and ready"),
    ],
)
def test_session_state(record: dict[str, Any], state: str) -> None:
    assert session_state(spawner(**record)) == state


@pytest.mark.parametrize(
    ("future", "words"),
    [
        pytest.param(None, "", id="never started"),
        pytest.param(SimpleNamespace(done=lambda: False), "", id="still starting"),
        pytest.param(ended_with(None), "", id="started"),
        pytest.param(ended_with(None, cancelled=True), "The launch was cancelled.", id="K4 cancelled"),
        pytest.param(ended_with(TimeoutError()), "It did not start in time.", id="K13 never ready"),
        pytest.param(ended_with(WithWords()), "There is no proposal MA-1 among yours.", id="ours: its own sentence"),
        pytest.param(ended_with(OSError("/secret/path")), "The portal could not start it.", id="P7 not a traceback"),
        pytest.param(ended_with(KeyError("token=abc")), "The portal could not start it.", id="P7 not a bug's words"),
    ],
)
def test_failure_of(future: Any, words: str) -> None:
    told = failure_of(spawner(_spawn_future=future))
    assert told.startswith(words)
    assert bool(told) == bool(words)
    assert "secret" not in told
    assert "token" not in told


def test_a_card_of_a_running_session() -> None:
    record = spawner(
        ready=True,
        started=datetime.datetime(2026, 3, 9, 8, 5),  # noqa: DTZ001  # the hub's own times are UTC without a zone
        options={"application": "jupyterlab", "proposal": "MA-4242", "visit": 2},
    )
    card = session_card(HUB, record, Catalogue({"jupyterlab": LAB}, {}), {GLASS.id: GLASS.title})
    assert (card["title"], card["proposal_title"], card["visit_number"]) == ("JupyterLab", "Roman glass", 2)
    assert (card["since"], card["since_text"]) == ("2026-03-09T08:05:00+00:00", "08:05 UTC, 9 March 2026")
    assert (card["state_text"], card["can_open"], card["can_stop"]) == ("Running", True, True)
    assert card["stop_words"] == "Stop"
    assert card["open_url"] == "/portal/user/u1/jupyterlab-0123456789/"
    assert card["stop_url"] == f"{HUB}sessions/jupyterlab-0123456789/stop"


def test_times_on_pages_are_the_facilitys() -> None:
    """A catalogue keeps whole days as the facility's midnights, in UTC: 1 to 4 June."""
    start, end = (datetime.datetime(2027, month, day, 22, tzinfo=datetime.UTC) for month, day in ((5, 31), (6, 3)))
    proposal = Proposal("P-1", "t", visits=(Visit(1, "", "", start, end),))
    paris = ZoneInfo("Europe/Paris")
    shown = visit_view(HUB, proposal, proposal.visits[0], [], zone=paris)
    assert (shown["start_text"], shown["end_text"]) == ("1 June 2027", "4 June 2027")
    assert proposal_row(HUB, proposal, paris)["latest_text"] == "1 June 2027"
    record = spawner(ready=True, started=datetime.datetime(2026, 3, 9, 23, 5))  # noqa: DTZ001
    card = session_card(HUB, record, Catalogue({}, {}), {}, paris)
    assert (card["since"], card["since_text"]) == ("2026-03-10T00:05:00+01:00", "00:05 CET, 10 March 2026")


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Chicago", "Pacific/Kiritimati"])
@pytest.mark.parametrize("stated", ["2027-06-01", "2027-06-01T23:30:00"])
def test_a_time_without_a_zone_is_the_facilitys(zone: str, stated: str) -> None:
    """Whatever the zone is: a day must not become the one before, nor the next."""
    assert day_text(time_of(stated), ZoneInfo(zone)) == "1 June 2027"


def test_a_card_of_a_session_that_is_over_can_be_removed() -> None:
    """DI03: it stays until somebody read it; then it goes."""
    card = session_card(HUB, spawner(), Catalogue({}, {}), {})
    assert (card["state"], card["can_open"], card["can_stop"], card["stop_words"]) == ("ended", False, True, "Remove")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(None, id="none stored"),
        pytest.param({}, id="a refused start"),
        pytest.param({"application": "gone", "proposal": "MA-9", "visit": 1}, id="no longer in the catalogue"),
        pytest.param({"application": ["x"], "proposal": {"a": 1}}, id="D2 wrong types, stored by something else"),
    ],
)
def test_a_card_of_a_session_nobody_knows_any_more(options: Any) -> None:
    """D4: the proposal is no longer mine, so its title is not shown; the card still can be read and stopped."""
    card = session_card(HUB, spawner(options=options, ready=True), Catalogue({}, {}), {GLASS.id: GLASS.title})
    assert card["title"] == "jupyterlab-0123456789"
    assert card["proposal_title"] == ""
    assert card["can_stop"] is True


# -- a source of proposals that is down ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute ago"),
        (59.9, "less than a minute ago"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (86_399, "23 hours ago"),
        (86_400, "1 day ago"),
        (400_000, "4 days ago"),
    ],
)
def test_an_age_in_words(seconds: float, words: str) -> None:
    assert age_text(seconds) == words


def test_an_old_list_says_how_old_it_is_and_what_that_means() -> None:
    """The person sees their proposals, and why nothing can be started on them now."""
    problem = SourceUnavailable("The user office does not answer.", remedy="Try again.", detail="office: got HTML")
    notice = source_notice(problem, 1500)
    assert notice["kind"] == "old"
    assert notice["words"].startswith(
        "The user office does not answer. The proposals below were loaded 25 minutes ago."
    )
    assert "Nothing can be launched on them" in notice["words"]
    assert source_notice(problem, None) == {"kind": "bad", "words": "The user office does not answer. Try again."}
    assert source_notice(None, 3.0)["words"] == ""
    assert "HTML" not in notice["words"], "what it said instead is for the log"


def test_a_visit_is_called_what_the_facility_calls_it() -> None:
    named = Visit(4711, name="mx12345-7")
    assert visit_view(HUB, GLASS, named, [LAB])["label"] == "mx12345-7"
    assert visit_view(HUB, GLASS, named, [LAB])["applications"][0]["fields"]["visit"] == "4711"
    assert visit_view(HUB, GLASS, VISIT, [LAB])["label"] == "2"


# -- titles of tabs, and of buttons --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({"proposal": "MA-4242", "visit": 2}, "JupyterLab – MA-4242 visit 2"),
        ({"proposal": "MA-4242"}, "JupyterLab – MA-4242"),
        ({}, "JupyterLab – own resources"),
        (
            {"visits": [{"proposal": "MA-4242", "visit": 1}, {"proposal": "MA-4242", "visit": 0}]},
            "JupyterLab – MA-4242 visits 1, 0",
        ),
    ],
)
def test_tabs_of_sessions_differ(options: dict[str, Any], title: str) -> None:
    record = spawner(options={"application": "jupyterlab"} | options)
    assert title_of_session(session_card(HUB, record, Catalogue({"jupyterlab": LAB}, {}), {})) == title


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"size": "small"}, {"size": "large", "place": "here"}, True),
        ({"proposal": "P-1", "visit": 1}, {"proposal": "P-1", "visit": 2}, False),
        ({"proposal": "P-1", "visit": 1}, {}, False),
        ({"temporary_home": True}, {}, False),
        (
            {"visits": [{"proposal": "P-1", "visit": 1}, {"proposal": "P-2", "visit": 1}]},
            {"visits": [{"proposal": "P-2", "visit": 1}, {"proposal": "P-1", "visit": 1}]},
            True,
        ),
    ],
)
def test_a_second_launch_has_the_same_content_or_another(
    first: dict[str, Any], second: dict[str, Any], same: bool
) -> None:
    contents = [content_of({"application": "lab"} | one) for one in (first, second)]
    assert (contents[0] == contents[1]) is same
    assert content_of(first) is None, "no application: not a launch"
