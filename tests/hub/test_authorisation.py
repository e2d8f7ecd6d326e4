"""Who may launch, see, open and stop what: asked of a real hub over HTTP, by people and by attackers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.live_portal import CONFIG, Portal, free_ports, new_state, plain_text, remove, start_portal
from tests.waiting import within

pytestmark = pytest.mark.sandbox


def servers_of(portal: Portal, subject: str) -> dict[str, object]:
    person = portal.login(subject)
    return person.get(f"/hub/api/users/{person.name}").json()["servers"]


def test_each_person_sees_their_proposals(portal: Portal) -> None:
    pages = {subject: plain_text(portal.login(subject).get("/hub/home")) for subject in ("anna", "ben", "carla")}
    assert "MA-4242" in pages["anna"]
    assert "LS-1007" in pages["anna"]
    assert "MA-4242" in pages["ben"]
    assert "LS-1007" not in pages["ben"]
    # the scientist of ID21 sees the beamline's proposal without being a member
    assert "MA-4242" in pages["carla"]
    assert "LS-1007" not in pages["carla"]


def test_valid_login_without_account_gets_advice(portal: Portal) -> None:
    """EL19, B2: a page that says what to do next, with what the user office needs; no hub user comes of it."""
    person = portal.login("dmitri")
    assert person.answer.status_code == 403
    text = plain_text(person.answer)
    assert "you have no account here yet" in text
    assert "dmitri" in text
    assert "user office" in text
    assert person.get("/hub/home").url.startswith(f"{portal.url}/hub/login")


@pytest.mark.parametrize(
    "path",
    [
        "/hub/spawn?opt-application=pymca&opt-proposal=MA-4242",
        "/hub/spawn",
        "/hub/spawn/{name}",
        "/hub/spawn/{name}/linked?opt-application=pymca",
        "/hub/launch?application=pymca&proposal=MA-4242&visit=2",
        "/hub/user/{name}/linked/",
        "/user/{name}/linked/",
        "/hub/spawn-pending/{name}/linked",
    ],
)
def test_nothing_starts_by_get(portal: Portal, path: str) -> None:
    """H1, E1: links only fill in pages, also those of the stock hub."""
    person = portal.login("ben")
    before = servers_of(portal, "ben")
    person.get(
        path.format(name=person.name), headers={"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/"}
    )
    assert servers_of(portal, "ben") == before


def test_deep_link_fills_in_the_page(portal: Portal) -> None:
    """DI16: the link of a user office or SynchWeb."""
    answer = portal.login("ben").get("/hub/launch?proposal=MA-4242&visit=2&application=pymca")
    assert answer.status_code == 200
    assert "Nothing has started yet" in answer.text
    assert re.search(r'value="pymca" required checked', answer.text)
    assert re.search(r'name="visit" value="2"', answer.text)


def test_deep_link_to_a_foreign_proposal_offers_nothing(portal: Portal) -> None:
    """D1: somebody else's proposal and one that does not exist look the same."""
    person = portal.login("ben")
    foreign, unknown = (
        person.get(f"/hub/launch?proposal={one}&visit=1&application=pymca") for one in ("LS-1007", "XX-9999")
    )
    assert 'name="application"' not in foreign.text
    assert plain_text(foreign).replace("LS-1007", "*") == plain_text(unknown).replace("XX-9999", "*")
    pages = [person.get(f"/hub/proposals/{one}") for one in ("LS-1007", "XX-9999", "..%2fMA-4242", "%00")]
    assert [page.status_code for page in pages] == [404, 404, 404, 404]


HOSTILE_OPTIONS = {
    "foreign proposal": {"application": "pymca", "proposal": "LS-1007", "visit": 1},
    "unknown proposal": {"application": "pymca", "proposal": "XX-9999", "visit": 1},
    "unknown visit": {"application": "pymca", "proposal": "MA-4242", "visit": 77},
    "link": {"application": "pymca-guide"},
    "unknown application": {"application": "rootshell"},
    "command": {"application": "pymca", "cmd": ["sh"]},
    "mounts": {"application": "pymca", "mounts": ["/etc"]},
    "uid": {"application": "pymca", "uid": 0},
    "path as proposal": {"application": "pymca", "proposal": "../../etc", "visit": 1},
    "visit as text": {"application": "pymca", "proposal": "MA-4242", "visit": "2"},
    "visit as true": {"application": "pymca", "proposal": "MA-4242", "visit": True},
    "list": [1, 2],
    "nested": {"application": {"application": "pymca"}},
    "dunder": {"__class__": "x"},
    "empty": {},
}


@pytest.mark.parametrize("options", HOSTILE_OPTIONS.values(), ids=HOSTILE_OPTIONS.keys())
def test_posted_json_is_authorised_like_the_form(portal: Portal, options: object) -> None:
    """H2, D2: JSON posted straight to the hub's API is refused with words, and not kept."""
    person = portal.login("ben")
    answer = person.api("POST", f"users/{person.name}/servers/attack", {"user_options": options})
    assert 400 <= answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text
    server = servers_of(portal, "ben").get("attack")
    assert server is None or not server["ready"]  # type: ignore[index]
    # stored options, started again without any: refused as well
    again = person.api("POST", f"users/{person.name}/servers/attack", None)
    assert 400 <= again.status_code < 500, again.text
    person.api("DELETE", f"users/{person.name}/servers/attack", {"remove": True})


def test_forms_need_their_token(portal: Portal) -> None:
    """E2: no token, another's token, or JSON as text: refused."""
    anna, ben = portal.login("anna"), portal.login("ben")
    fields = {"application": "terminal"}
    for data in (fields, fields | {"_xsrf": anna.xsrf}, fields | {"_xsrf": ""}):
        answer = ben.session.post(f"{portal.url}/hub/launch", data=data, allow_redirects=False)
        assert answer.status_code == 403
    answer = ben.session.post(
        f"{portal.url}/hub/launch",
        data=json.dumps(fields),
        headers={"Content-Type": "text/plain"},
        allow_redirects=False,
    )
    assert answer.status_code == 403


def test_colleague_cannot_see_open_stop_or_guess_a_session(portal: Portal) -> None:
    """D11, D12: a member of the same proposal has no way into another's session."""
    anna, ben = portal.login("anna"), portal.login("ben")
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    try:
        path = f"/user/{anna.name}/{name}/"
        assert name not in ben.get("/hub/home").text
        assert ben.get(path).status_code in (403, 404)
        assert ben.get(f"{path}status", headers={"Sec-Fetch-Mode": "cors"}).status_code == 403
        assert ben.get(f"{path}static/desktop.js", headers={"Sec-Fetch-Mode": "no-cors"}).status_code == 403
        assert ben.get(f"/hub/sessions/{name}").status_code == 404
        assert ben.get(f"/hub/api/users/{anna.name}").status_code == 404
        assert ben.get(f"/hub/api/users/{anna.name}/servers/{name}/progress").status_code == 404
        assert ben.api("DELETE", f"users/{anna.name}/servers/{name}").status_code == 404
        ben.stop(name)
        assert servers_of(portal, "anna")[name]["ready"]  # type: ignore[index]
        nobody = requests.get(f"{portal.url}{path}status", headers={"Sec-Fetch-Mode": "cors"}, timeout=30)
        assert nobody.status_code == 403
    finally:
        anna.stop(name)


def test_second_press_of_one_button_starts_one_session(portal: Portal) -> None:
    """J1: the form carries the session's name, so a double click is one launch."""
    person = portal.login("ben")
    before = len(servers_of(portal, "ben"))
    fields = {"application": "terminal", "session_name": "terminal-doubleclick"}
    pages = {"/hub/sessions/terminal-doubleclick", f"/user/{person.name}/terminal-doubleclick/"}
    places = {person.post("/hub/launch", fields, allow_redirects=False).headers["Location"] for _ in range(3)}
    assert places <= pages
    assert len(servers_of(portal, "ben")) == before + 1
    person.wait_ready("terminal-doubleclick")
    again = person.post("/hub/launch", fields, allow_redirects=False)
    assert again.headers["Location"] == f"/user/{person.name}/terminal-doubleclick/", "one that runs is opened"
    person.stop("terminal-doubleclick")


def test_stopping_twice_is_no_error(portal: Portal) -> None:
    """DI03: a session that is gone is stopped."""
    person = portal.login("ben")
    name = person.launch("terminal")
    assert [person.stop(name).status_code for _ in range(2)] == [303, 303]
    assert name not in servers_of(portal, "ben")


def test_pages_carry_a_strict_policy(portal: Portal) -> None:
    """PS05, E5, E10: nothing inline, nothing from another host, no framing; on errors, too."""
    person = portal.login("anna")
    for path in ("/hub/home", "/hub/proposals/MA-4242", "/hub/launch", "/hub/proposals/none"):
        answer = person.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy, path
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.findall(r'(?:src|href)="https?://(?!127\.0\.0\.1)', answer.text.partition("</head>")[0])
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text


def test_trailing_text_in_a_session_token_is_nothing(portal: Portal) -> None:
    """F3: a callback of the session server with a foreign state is refused."""
    anna = portal.login("anna")
    name = anna.launch("terminal")
    try:
        forged = anna.get(f"/user/{anna.name}/{name}/oauth_callback?state=x&code=y")
        assert forged.status_code == 403
    finally:
        anna.stop(name)


def test_nameless_server_is_refused(portal: Portal) -> None:
    """The stock hub's default server is none of our pages'; asked for directly, it does not start either."""
    person = portal.login("ben")
    for body in (None, {"user_options": {"application": "terminal"}}):
        assert 400 <= person.api("POST", f"users/{person.name}/server", body).status_code < 500
    assert "" not in servers_of(portal, "ben")


def test_session_ends_when_its_hours_are_used_up(portal: Portal) -> None:
    """A size's hours are a promise to the others: the session ends by itself, and the card says so."""
    person = portal.login("ben")
    name = person.launch("brief")
    assert portal.wait_for_log("reached its time limit", timeout_s=60)
    within(60, lambda: "Ended" in plain_text(person.get("/hub/home")))
    assert "has ended" in plain_text(person.get(f"/hub/sessions/{name}"))
    person.stop(name)


def test_one_person_has_so_many_sessions_and_no_more(sandbox_works: None) -> None:
    """J2: ten presses at once for two places: two sessions, and the others read why."""
    portal = start_portal(state=new_state(), more_config="c.Facility.sessions_per_person = 2")
    try:
        person = portal.login("ben")
        fields = {"application": "terminal", "_xsrf": person.xsrf}
        with ThreadPoolExecutor(10) as pool:
            presses = [
                pool.submit(
                    requests.post,
                    f"{portal.url}/hub/launch",
                    data=fields | {"session_name": f"press-{number}"},
                    cookies=person.session.cookies.get_dict(),
                    timeout=60,
                )
                for number in range(10)
            ]
            pages = [plain_text(press.result()) for press in presses]
        running = person.get(f"/hub/api/users/{person.name}").json()["servers"]
        alive = {name for name, one in running.items() if one["ready"] or one["pending"]}
        assert len(alive) <= 2
        assert any("is the limit" in page for page in pages)
        for name in {f"press-{number}" for number in range(10)} - alive:
            refused = person.get(f"/hub/sessions/{name}")
            assert refused.status_code == 404 or "is the limit" in plain_text(refused)
    finally:
        portal.stop()
        remove(portal)


def test_demo_refuses_to_be_reachable(tmp_path: Path) -> None:
    """PS03: people without passwords, on an address of the network: the hub does not start, and says why."""
    config = tmp_path / "config.py"
    config.write_text(f"load_subconfig({str(CONFIG)!r})\nc.JupyterHub.bind_url = 'http://0.0.0.0:19990'\n")
    state = new_state()
    tried = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "jupyterhub"), "-f", str(config)],
        cwd="/",
        env=os.environ | {"DAAS_DEMO_STATE": str(state), "DAAS_DEMO_PORT": str(free_ports(4))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shutil.rmtree(state)
    assert tried.returncode != 0
    assert "listens on 127.0.0.1 only" in tried.stderr
