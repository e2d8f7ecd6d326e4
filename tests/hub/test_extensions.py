"""A session is extended within its owner's hours: no button beyond them, and the numbers for who asks all the same."""

from __future__ import annotations

import pytest

from tests.live_portal import Person, plain_text
from tests.queue_portal import press, with_limits

pytestmark = pytest.mark.sandbox

#: A session of the demo's size "small" lasts twelve hours.
CONFIG = """
c.Quotas.person = {"hours": 20, "days": 7}
c.Lifetimes.extension_hours = 4
c.Lifetimes.max_extensions = 3
"""


def extend(person: Person) -> tuple[int, str]:
    answer = person.post("/hub/sessions/one/extend", allow_redirects=False)
    return answer.status_code, plain_text(answer)


def test_an_extension_is_within_the_hours_of_a_person(sandbox_works: None) -> None:
    with with_limits(CONFIG) as queue:
        anna = queue.sign_in("anna")
        press(anna)
        anna.wait_ready("one")
        for used, left in ((12, 8), (16, 4), (20, 0)):
            assert f"Hours in the last 7 days {used} 20 {left or 'None'}" in plain_text(anna.get("/hub/daas/use"))
            assert ("Extend by 4 hours" in anna.get("/hub/home").text) == (left > 0)
            status, words = extend(anna)
            assert status == (303 if left else 409)
        assert "You are using 0 of 20 hours in 7 days, and this session may last 24." in words
