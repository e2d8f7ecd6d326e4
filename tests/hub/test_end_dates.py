"""A guest whose time is over: sign-in and launches are refused with the date, and the session that runs ends."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.live_portal import WITHOUT_PROGRESS_PAGE, Person, new_state, plain_text, remove, start_portal
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

#: Where the day ends hours before and after it does in UTC; the one where it does not end during this test.
ZONE = min(
    (ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")),
    key=lambda zone: abs(datetime.datetime.now(zone).hour - 12),
)
# a check at its interval could end the login before the launch is refused; the refusal asks for one
MORE = f"""
{WITHOUT_PROGRESS_PAGE}
c.Facility.timezone = "{ZONE.key}"
c.UmbrellaAuthenticator.recheck_s = 600
c.UmbrellaAuthenticator.auth_refresh_age = 600
c.EndDates.groups = {{"ls-1007": "2020-02-29"}}
c.EndDates.exempt_roles = ["member"]
c.RoleRules.role_groups = {{"member": ["ma-4242"]}}
"""


def is_ready(person: Person, name: str, session: str) -> bool:
    return bool(person.get(f"/hub/api/users/{name}").json()["servers"].get(session, {}).get("ready"))


def test_an_end_date_ends_sessions_launches_and_sign_in(sandbox_works: None) -> None:
    portal = start_portal(state=new_state(), more_config=MORE)
    try:
        table = portal.state / "hub" / "accounts.yaml"
        before = table.read_text()
        # anna is in a group that has ended, and in a role for which that does not count
        anna, ben = portal.login("anna"), portal.login("ben")
        session = ben.launch("terminal")
        assert "Your access to this portal ends" not in anna.get("/hub/home").text

        today = datetime.datetime.now(ZONE).date()
        last = f"{today.day} {today:%B %Y}"
        table.write_text(before.replace("uid: 25002", f"uid: 25002\n    valid_until: {today}"))
        words = f"Your access to this portal ends today: on {last}, at the end of the day."
        assert words in plain_text(ben.get("/hub/home"))
        name, form = ben.name, ben.xsrf
        assert is_ready(ben, name, session)

        yesterday = today - datetime.timedelta(days=1)
        table.write_text(before.replace("uid: 25002", f"uid: 25002\n    valid_until: {yesterday}"))
        ended = f"Your access to this portal ended on {yesterday.day} {yesterday:%B %Y}."
        refused = ben.session.post(f"{portal.url}/hub/launch", data={"_xsrf": form, "application": "terminal"})
        assert ended in plain_text(refused)
        assert portal.wait_for_log(f"sessions of {name} are stopped", 60)
        again = portal.login("ben").answer
        assert again.status_code == 403
        assert ended in plain_text(again)
        assert anna.get("/hub/home").status_code == 200
        assert "Traceback" not in portal.log.read_text(), portal.log.read_text()[-9000:]

        # extended: everything is as before, and the ended session is listed as such
        table.write_text(before)
        back = portal.login("ben")
        wait_for(lambda: not is_ready(back, name, session), "the session runs on", 60)
        back.launch("terminal")
    finally:
        portal.stop()
        remove(portal)
