"""What JupyterHub's documentation says of an administrator's settings is true of our pages, after `configure(c)`.

`template_vars`, `template_paths`, announcements, `logo_file`, the services menu and `extra_handlers`: each is one line
below the shipped configuration, in a hub that runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.live_portal import Person, Portal, new_state, remove, start_portal

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><title>The hub\'s own</title></svg>'

CONFIG = """
import sys
from jupyterhub.handlers import BaseHandler

c.JupyterHub.template_vars = {
    "announcement": "Beam is <b>off</b> on Monday",
    "announcement_login": "Sign in with your <i>new</i> password",
    "announcement_home": "Data of 2019 are archived",
    "announcement_logout": "See you soon",
    "announcement_spawn": "Launches are slow today",
    "facility": "an administrator's own variable",
    "hub_url": "https://elsewhere.example/",
}
c.JupyterHub.template_paths = ["FOLDER/templates"]
c.JupyterHub.logo_file = "FOLDER/logo.svg"

class Cafeteria(BaseHandler):
    async def get(self):
        self.finish(await self.render_template("cafeteria.html", dish="Soup"))

c.JupyterHub.extra_handlers = [(r"/cafeteria", Cafeteria)]
c.JupyterHub.services = [*c.JupyterHub.services, {
    "name": "statistics", "url": "http://127.0.0.1:PORT",
    "command": [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "PORT"], "cwd": "FOLDER",
}, {"name": "hidden", "url": "http://127.0.0.1:9", "display": False}]
c.JupyterHub.load_roles = [
    {"name": "user", "scopes": ["self", "access:services!service=statistics", "access:services!service=hidden"]},
]
"""

TEMPLATES = {
    "home.html": '{% extends "templates/home.html" %}{% block main %}<p>Ours first</p>{{ super() }}{% endblock %}',
    "page.html": '{% extends "templates/page.html" %}{% block footer %}{{ super() }}<p>Imprint</p>{% endblock %}',
    "cafeteria.html": '{% extends "page.html" %}{% block main %}<h1>{{ dish }}</h1>{% endblock %}',
}


@pytest.fixture(scope="module")
def composed() -> Iterator[Portal]:
    """A portal whose administrator has set each of these."""
    from tests.live_portal import free_ports

    state = new_state()
    (state / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (state / "templates" / name).write_text(text)
    (state / "logo.svg").write_text(LOGO)
    config = CONFIG.replace("FOLDER", str(state)).replace("PORT", str(free_ports(1)))
    portal = start_portal(state=state, more_config=config)
    yield portal
    portal.stop()
    remove(portal)


@pytest.fixture(scope="module")
def anna(composed: Portal) -> Person:
    return composed.login("anna")


@pytest.mark.parametrize(
    ("path", "announcement"),
    [
        ("/hub/home", "Data of 2019 are archived"),
        ("/hub/launch", "Launches are slow today"),
        ("/hub/proposals/MA-4242", "Beam is <b>off</b> on Monday"),
        ("/hub/token", "Beam is <b>off</b> on Monday"),
        ("/hub/no-such-page", "Beam is <b>off</b> on Monday"),
    ],
)
def test_announcements(anna: Person, path: str, announcement: str) -> None:
    page = anna.get(path).text
    assert announcement in page
    assert page.count('class="notice announcement"') == 1


def test_the_announcement_of_the_login_page(composed: Portal) -> None:
    page = requests.get(f"{composed.url}/hub/login", timeout=30).text
    assert "Sign in with your <i>new</i> password" in page
    assert "Beam is" not in page


def test_the_announcement_of_the_logout_page(composed: Portal) -> None:
    assert "See you soon" in requests.get(f"{composed.url}/hub/logged-out", timeout=30).text


@pytest.mark.parametrize("path", ["/hub/home", "/hub/proposals/MA-4242", "/hub/launch", "/hub/token"])
def test_template_vars_replace_nothing_of_ours(anna: Person, path: str) -> None:
    """Variables of any name, also names that our templates have used."""
    answer = anna.get(path)
    assert answer.status_code == 200
    assert "Anna Lindqvist" in answer.text
    assert "elsewhere.example" not in answer.text
    assert 'href="/hub/home"' in answer.text


def test_template_paths_come_first_and_extend_ours(anna: Person) -> None:
    page = anna.get("/hub/home").text
    assert "Ours first" in page
    assert "MA-4242" in page, "super() is our home page"


@pytest.mark.parametrize("path", ["/hub/home", "/hub/token", "/hub/nothing", "/hub/cafeteria"])
def test_an_administrators_frame_is_the_frame_of_every_page(anna: Person, path: str) -> None:
    page = anna.get(path).text
    assert "Imprint" in page
    assert "Skip to the content" in page


def test_the_logo_file(composed: Portal, anna: Person) -> None:
    assert 'src="/hub/logo"' in anna.get("/hub/home").text
    answer = requests.get(f"{composed.url}/hub/logo", timeout=30)
    assert (answer.text, answer.headers["Content-Type"]) == (LOGO, "image/svg+xml")


def test_the_services_menu(anna: Person) -> None:
    """It lists what JupyterHub's own menu does: services with an address that this person may use."""
    for path in ("/hub/home", "/hub/token"):
        page = anna.get(path).text
        assert '<a href="/services/statistics/">statistics</a>' in page
        assert "hidden</a>" not in page
        assert "identity-provider" not in page


def test_extra_handlers_have_our_frame(anna: Person) -> None:
    page = anna.get("/hub/cafeteria").text
    assert "<h1>Soup</h1>" in page
    assert "Anna Lindqvist" in page


def test_the_facilitys_logo_is_the_hubs(portal: Portal) -> None:
    """Sessions and services show `/hub/logo`: without settings it is ours, not JupyterHub's."""
    answer = requests.get(f"{portal.url}/hub/logo", timeout=30)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.text == (Path(__file__).parents[2] / "templates" / "static" / "logo.svg").read_text()
