"""The page "Your use and limits" of a real hub: the same numbers before a refusal and in it, in a new hub, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.operator import Operator
from tests.live_portal import WITHOUT_PROGRESS_PAGE, Person, Portal, plain_text, remove, start_portal
from tests.places import TWO, kill, kill_rest, start_with
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

#: A session of the demo's size "small" lasts twelve hours; an earlier end counts with what it ran.
MORE = f"""
{WITHOUT_PROGRESS_PAGE}
c.RoleRules.role_groups = {{"member": ["ma-4242"]}}
c.Quotas.person = {{"memory": "16 GiB"}}
c.Quotas.proposal = {{"cpus": 8}}
c.Quotas.roles = {{"member": {{"together": {{"sessions": 5}}}}, "nobody": {{"together": {{"cpus": 3}}}}}}
c.Quotas.places = {{"large": {{"hours": 20, "days": 7}}}}
c.Quotas.facility = {{"hours": 30}}
"""
#: A place that is not open to anna and ben.
PLACES = TWO | {"staff": {"spawner": "sandbox", "title": "Staff only", "groups": ["staff-id21"], "capacity": 3}}


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with quotas of every kind."""
    running = start_with(PLACES, more=MORE)
    yield running
    running.stop()
    kill_rest(running)
    remove(running)


def use_of(person: Person) -> str:
    """The words of somebody's page."""
    answer = person.get("/hub/daas/use")
    assert answer.status_code == 200, answer.text
    return plain_text(answer)


def refused(person: Person, *, with_link: bool = True, **fields: str) -> str:
    """The words of a refused launch of a terminal; with the link to the page, or without."""
    answer = person.post("/hub/launch", {"application": "terminal", "session_name": "refused"} | fields)
    assert answer.status_code == 403
    notice = answer.text.partition('id="refused"')[2].partition("</div>")[0]
    assert ('<a href="/hub/daas/use">Your use and limits</a>' in notice) == with_link
    return plain_text(answer)


def test_the_numbers_before_a_refusal_and_in_it(portal: Portal) -> None:
    anna, ben = portal.login("anna"), portal.login("ben")
    for page in (anna.get("/hub/home").text, anna.get("/hub/token").text):
        assert 'href="/hub/daas/use"' in page
    empty = use_of(ben)
    assert "You Resource In use Limit Left Sessions 0 10 10 Memory 0 GiB 16 GiB 16 GiB" in empty
    assert "Each of your proposals CPUs 0 8 8" in empty

    session = anna.launch("terminal", proposal="MA-4242", visit="2", place="large")
    mine, his = use_of(anna), use_of(ben)
    assert "Sessions 1 10 9 Memory 4 GiB 16 GiB 12 GiB" in mine
    assert "Sessions 0 10 10 Memory 0 GiB 16 GiB 16 GiB" in his
    for page in (mine, his):
        assert "MA-4242 CPUs 2 8 6" in page
        assert "All people with the role member Sessions 1 5 4" in page
        assert "Large nodes Hours in the last 7 days 12 20 8" in page
        assert "The whole portal Hours in the last 30 days 12 30 18" in page
        assert "Staff only" not in page
        assert "nobody" not in page
    carla = use_of(portal.login("carla"))
    assert "Staff only Sessions 0 3 3" in carla
    whole = ben.get("/hub/daas/use").text
    assert "anna" not in whole.lower()
    assert "LS-1007" not in whole
    assert session not in whole

    words = "Sessions in Large nodes are using 12 of 20 hours in 7 days, and this session may last 12."
    assert f"{words} Choose another place." in refused(ben, place="large")
    ben.launch("terminal", place="here")
    assert "The whole portal Hours in the last 30 days 24 30 6" in use_of(anna)
    words = "All sessions of this portal are using 24 of 30 hours in 30 days, and this session may last 12."
    assert words in refused(anna, place="here")
    assert "not offered in that size" in refused(anna, with_link=False, place="here", size="large")
    capacity = Operator(portal).run("capacity").stdout.splitlines()
    assert "12 of 20 in 7 days" in "".join(capacity)
    assert capacity[-1].startswith("(whole portal)")
    assert capacity[-1].endswith("24 of 30 in 30 days")
    assert Operator(portal).asked("status")["whole_portal"]["used"] == 2

    # what has ended counts with the minutes that it ran, also in a new hub
    assert anna.stop(session).status_code == 303
    wait_for(lambda: "Large nodes Hours in the last 7 days 0.0 20 20.0" in use_of(ben), "its hours are not given back")
    kill(portal)
    portal.process = start_with(PLACES, before=portal, more=MORE).process
    assert "Large nodes Hours in the last 7 days 0.0 20 20.0" in use_of(ben)
    assert "The whole portal Hours in the last 30 days 12.0 30 18.0" in use_of(ben)
    ben.launch("terminal", place="large")


def test_a_portal_without_quotas_has_no_such_page(sandbox_works: None) -> None:
    running = start_portal()
    try:
        anna = running.login("anna")
        assert anna.get("/hub/daas/use").status_code == 404
        assert "daas/use" not in anna.get("/hub/home").text
    finally:
        running.stop()
        remove(running)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('c.Quotas.facility = {"hours": 0}', r"Quotas.facility\['hours'\] = 0: is not a number above 0"),
        ('c.Quotas.facility = {"days": 7}', r"Quotas.facility\['days'\] = 7: has no effect without `hours`"),
        ('c.Quotas.places = {"large": {"hour": 8}}', "Quotas.places = 'large': is not a place"),
    ],
)
def test_a_hub_with_a_wrong_limit_does_not_start(line: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        start_portal(more_config=line)
