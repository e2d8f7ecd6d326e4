"""Our spawner in a plain hub with an authenticator of another project: it works, or the hub says why at its start."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.hub.plain_hub import IDENTITY_OF, PlainHub, hub_command, prepare

pytestmark = pytest.mark.sandbox

FORM = """
c.Spawner.options_form = '<input name="application"><input name="proposal"><input name="visit">'
c.Spawner.environment = {"LICENCE_SERVER": "lic.example", "WHO": lambda spawner: spawner.user.name}
c.Spawner.group_overrides = {"all": {"groups": ["staff"], "spawner_override": {"environment": {"STAFF": "1"}}}}
c.JupyterHub.load_groups = {"staff": {"users": ["anna"]}}
"""
MARKED = """
import pathlib
def pre_spawn_hook(spawner):
    pathlib.Path(STATE, "hub", "pre").write_text(spawner.user.name)
    if spawner.name == "limited":
        spawner.mem_limit = "1G"
c.Spawner.pre_spawn_hook = pre_spawn_hook
c.Spawner.post_stop_hook = lambda spawner: pathlib.Path(STATE, "hub", "post").write_text(spawner.user.name)
"""


@pytest.fixture(scope="module")
def hub(sandbox_works: None) -> Iterator[PlainHub]:
    """A plain hub with the documented function."""
    state, port = prepare(IDENTITY_OF + FORM)
    with (state / "jupyterhub_config.py").open("a") as config:
        config.write(f"STATE = {str(state)!r}\n{MARKED}")
    running = PlainHub.started(state, port)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(state, ignore_errors=True)


def eventually(is_so: object, timeout_s: float = 30.0) -> bool:
    """Return whether something comes true in time."""
    assert callable(is_so)
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.1)
    return False


def test_a_session_of_a_proposal_runs_as_the_account(hub: PlainHub) -> None:
    """Item 5b: the function says who it is, the table of accounts says which uid, and the stock settings work."""
    anna = hub.login("anna")
    answer = anna.start("one", {"application": "probe", "proposal": "MA-4242", "visit": 1})
    assert answer.status_code in (201, 202), answer.text
    assert eventually(lambda: anna.is_ready("one")), hub.log[-3000:]
    output = hub.state / "homes" / "anna" / "probe.out"
    assert eventually(lambda: output.exists() and "WHO=" in output.read_text()), hub.log[-3000:]
    said = output.read_text()
    assert "uid=25001(anna) gid=25001(anna)" in said
    assert "glass.txt" in said
    assert "LICENCE_SERVER=lic.example\n" in said
    assert "WHO=anna\n" in said
    assert "STAFF=1\n" in said
    if os.geteuid() == 0:
        assert output.stat().st_uid == 25001
    assert (hub.state / "hub" / "pre").read_text() == "anna"
    anna.stop("one")
    assert eventually((hub.state / "hub" / "post").exists)


def test_the_form_of_the_stock_spawn_page_starts_a_session(hub: PlainHub) -> None:
    """`options_form` of the administrator, on the hub's own page; a link does not start anything."""
    anna = hub.login("anna")
    page = f"{hub.url}/hub/spawn/anna/two"
    linked = anna.session.get(f"{page}?application=probe")
    assert "A link does not start a session." in linked.text
    assert 'name="application"' in linked.text
    assert not anna.is_ready("two")
    fields = {"application": "probe", "proposal": "MA-4242", "visit": "1", "_xsrf": anna.xsrf()}
    answer = anna.session.post(page, data=fields, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    assert eventually(lambda: anna.is_ready("two")), hub.log[-3000:]
    anna.stop("two")


def test_a_setting_that_a_hook_makes_in_vain_is_refused(hub: PlainHub) -> None:
    """Item 4: not ignored at runtime either; the person reads whom to tell, the log says what to do."""
    anna = hub.login("anna")
    answer = anna.start("limited", {"application": "probe"})
    assert answer.status_code == 500
    assert answer.json()["message"] == "The portal is misconfigured. Please tell the administrators."
    assert "SandboxSpawner.mem_limit" in hub.log
    assert not anna.is_ready("limited")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("nobody", "The facility does not know your login.", id="no-identity"),
        pytest.param("ben", "no account", id="no-account"),
    ],
)
def test_somebody_without_an_account_is_refused(hub: PlainHub, name: str, sentence: str) -> None:
    answer = hub.login(name).start("one", {"application": "probe"})
    assert answer.status_code == 403
    assert sentence in answer.json()["message"]


def refusal(more_config: str) -> str:
    """Return what a hub with these lines says when it does not start."""
    state, _ = prepare(more_config)
    try:
        tried = subprocess.run(hub_command(state), cwd="/", capture_output=True, text=True, timeout=60, check=False)
    finally:
        shutil.rmtree(state)
    assert tried.returncode == 1, tried.stderr
    assert "Traceback" not in tried.stderr
    return "\n".join(line for line in tried.stderr.splitlines() if line.startswith("[C "))


REFUSED = {
    "nobody says who it is": ("", ["Facility.identity_of", "is required with DummyAuthenticator"]),
    "limits": (IDENTITY_OF + "c.Spawner.mem_limit = '1G'\n", ["Spawner.mem_limit", "sizes.yaml"]),
    "another program": (
        IDENTITY_OF + "c.SandboxSpawner.cmd = ['jupyter-labhub']\n",
        ["SandboxSpawner.cmd", "`command`"],
    ),
    "its own hook instead of the authorisation": (
        IDENTITY_OF + "c.Spawner.apply_user_options = lambda spawner, options: None\n",
        ["Spawner.apply_user_options", "pre_spawn_hook"],
    ),
    "unnamed servers": (
        IDENTITY_OF + "c.JupyterHub.allow_named_servers = False\n",
        ["JupyterHub.allow_named_servers = False", "sessions are named servers"],
    ),
    "the class itself": (
        IDENTITY_OF
        + "from daas_hub.spawners.sandbox import SandboxSpawner\nclass Mine(SandboxSpawner): pass\n"
        + "c.JupyterHub.spawner_class = Mine\nc.Mine.default_url = '/lab'\n",
        ["Mine.default_url", "`start_page`"],
    ),
    "a subclass of the module's own class": (
        IDENTITY_OF
        + "from daas_hub.spawners.sandbox.spawner import SandboxSpawner\nclass Mine(SandboxSpawner): pass\n"
        + "c.JupyterHub.spawner_class = Mine\nc.Spawner.port = 8888\n",
        ["Spawner.port", "does not apply to Mine"],
    ),
    "a wrong type": (IDENTITY_OF + "c.SandboxSpawner.read_only = 3\n", ["read_only", "list"]),
}


@pytest.mark.parametrize(("more_config", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_work_is_refused_when_the_hub_starts(more_config: str, words: list[str]) -> None:
    """Item 4: one clear sentence, and no traceback."""
    said = refusal(more_config)
    assert said.count("\n") == 0, said
    for word in words:
        assert word in said
