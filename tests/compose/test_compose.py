"""`docker compose up` gives the demo behind nginx, with TLS, below a path; each of its parts has what it needs only."""

from __future__ import annotations

import json
import re
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from playwright.sync_api import Browser, expect

from daas_hub.version import __version__
from tests.browser.conftest import SessionUser
from tests.browser.conftest import stop_all as stop_all_sessions
from tests.compose.conftest import ROOT, Stack
from tests.waiting import wait_for

pytestmark = pytest.mark.docker

SERVICES = ("network", "nginx", "proxy", "hub", "idp", "broker")
#: What each may do beyond nothing; everything else has no right of root at all.
RIGHTS = {
    "hub": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"},
    "broker": {"DAC_READ_SEARCH"},
}


def type_command(person: SessionUser, command: str) -> None:
    """Type into the terminal that covers the screen."""
    person.page.mouse.click(300, 500)
    person.page.keyboard.type(f"{command}\n", delay=15)


def stop_all(stack: Stack, person: SessionUser) -> None:
    """Stop this person's sessions by the buttons of the home page."""
    person.page.goto(f"{stack.url}/hub/home")
    stop_all_sessions(person.page)
    person.context.close()


# -- the web server ----------------------------------------------------------------------------------------------------


def test_web_server_speaks_tls_below_the_path(stack: Stack) -> None:
    """EL29: https with a certificate that holds, http is sent on, the root leads to the path, nothing else answers."""

    def get(url: str, **headers: str) -> requests.Response:
        return requests.get(url, headers=headers, verify=str(stack.ca), allow_redirects=False, timeout=30)

    root = f"https://localhost:{stack.port}"
    assert get(f"{root}/").headers["Location"] == "/daas/"
    assert get(f"{root}/daas").headers["Location"] == "/daas/"
    assert get(f"{root}/daas/hub/login").status_code == 200
    assert get(f"{root}/hub/login").status_code == 404
    assert get(f"{root}/daas/hub/login", Host="evil.example").status_code == 421
    assert get(f"https://127.0.0.1:{stack.port}/daas/").headers["Location"] == f"{root}/daas/"
    plain = get(f"http://localhost:{stack.http_port}/daas/hub/login?x=y")
    assert plain.status_code == 308
    assert plain.headers["Location"] == f"{root}/daas/hub/login?x=y"
    for answer in (get(f"{root}/daas/hub/login"), plain):
        assert answer.headers["Server"] == "nginx"
        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(stack: Stack) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(stack.ca)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("localhost", stack.port), 5) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line, server_hostname="localhost")


def test_only_one_service_has_ports_and_only_for_this_machine(stack: Stack) -> None:
    """The demo's people have no passwords."""
    for service in SERVICES:
        bindings = stack.inspect(service)["HostConfig"]["PortBindings"] or {}
        hosts = {one["HostIp"] for several in bindings.values() for one in several}
        assert hosts == ({"127.0.0.1"} if service == "network" else set()), service


# -- who may do what ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_what_it_needs_only(stack: Stack, service: str) -> None:
    """AL31, DE03: no rights of root but the few; no way to more; a root that cannot be written; one engine's socket."""
    found = stack.inspect(service)
    host = found["HostConfig"]
    added = {name.removeprefix("CAP_") for name in host["CapAdd"] or []}
    assert (host["CapDrop"], added, host["Privileged"]) == (["ALL"], RIGHTS.get(service, set()), False)
    assert host["ReadonlyRootfs"]
    assert "no-new-privileges" in " ".join(host["SecurityOpt"])
    engines = [one for one in found["Mounts"] if one["Source"].endswith("docker.sock")]
    assert len(engines) == (1 if service == "broker" else 0)
    if service == "broker":
        assert host["NetworkMode"] == "none"
    if service in ("nginx", "idp", "network"):
        assert found["Config"]["User"] not in ("", "0", "0:0", "root")


def test_secrets_are_files_of_those_who_need_them(stack: Stack) -> None:
    """B8: 0600, made at the first start, in no environment and in no image."""
    for service, folder, names in (
        ("hub", "/var/lib/daas-hub", ["cookie_secret", "crypt_key"]),
        ("proxy", "/run/daas-proxy", ["token"]),
        ("nginx", "/run/daas-tls", ["key.pem"]),
    ):
        for name in names:
            mode = stack.compose("exec", "-T", service, "stat", "-c", "%a", f"{folder}/{name}").strip()
            assert mode in ("600", "400"), (service, name, mode)
    secrets = [
        stack.compose("exec", "-T", "hub", "cat", path).strip()
        for path in ("/var/lib/daas-hub/cookie_secret", "/var/lib/daas-hub/crypt_key", "/run/daas-proxy/token")
    ]
    assert len({*secrets}) == 3
    for service in SERVICES:
        told = json.dumps(stack.inspect(service))
        assert [secret for secret in secrets if secret in told] == [], service


HOSTILE = """
import docker
client = docker.APIClient(base_url="unix:///run/daas-broker/engine.sock", version="1.44")
def tried(what, call):
    try:
        call(); print(what, "done")
    except docker.errors.APIError as problem:
        print(what, problem.status_code)
name = "daas-" + "0" * 20
root = {"Image": "localhost/daas-hub/desktop:0.1.0", "HostConfig": {"Privileged": True, "Binds": ["/:/host"]}}
tried("create", lambda: client.create_container_from_config(root, name))
tried("exec", lambda: client.exec_create("%(own)s", "id"))
tried("stop", lambda: client.stop("%(own)s"))
tried("inspect", lambda: client.inspect_container("%(own)s"))
tried("pull", lambda: client.pull("localhost/daas-hub/desktop", tag="0.1.0"))
tried("volumes", lambda: client.volumes())
tried("images", lambda: client.images())
tried("image", lambda: client.inspect_image("debian:trixie-slim"))
print("own", [one for one in client.containers(all=True) if one["Labels"].get("org.daas-hub.hub") != "%(hub)s"])
"""


def test_a_hub_that_was_taken_over_gets_no_more_from_the_engine(stack: Stack) -> None:
    """AL31, DE03: with the hub's own rights, in its own container, against the real engine."""
    text = HOSTILE % {"own": stack.inspect("broker")["Id"], "hub": stack.name}
    said = stack.compose("exec", "-T", "hub", "python", "-c", text)
    assert said.split("\n")[:-1] == [
        "create 403", "exec 403", "stop 403", "inspect 403", "pull 403", "volumes 403", "images 403", "image 403",
        "own []",
    ]  # fmt: skip


# -- the demo ---------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_desktop_below_the_path_outlives_hub_and_proxy(stack: Stack, browser: Browser) -> None:
    """EL29, AL55, DE02: login, data, a picture; then hub, proxy and web server are restarted, and everything."""
    anna = stack.arrive(browser, "anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    anna.page.wait_for_timeout(2500)
    anna.keep_picture("compose-desktop")
    assert "/daas/user/" in anna.page.url
    processed = stack.state / "processed" / "MA-4242"
    type_command(anna, "ls data > ~/processed/first.txt; id >> ~/processed/first.txt")
    wait_for((processed / "first.txt").exists, "the file she typed")
    wait_for(lambda: "uid=25001(anna)" in (processed / "first.txt").read_text(), "her own name")
    assert "XRFSpectrum.mca" in (processed / "first.txt").read_text()
    cookies = anna.context.cookies()
    assert cookies
    assert [one["name"] for one in cookies if not one.get("secure") and "localhost" in one.get("domain", "")] == []
    (before,) = stack.sessions()

    # the hub alone: her screen stays connected, and she does not notice
    stack.compose("restart", "hub")
    type_command(anna, "echo still > ~/processed/second.txt")
    wait_for((processed / "second.txt").exists, "the file she typed while the hub was away")
    stack.wait()
    # proxy and web server: the page connects again by itself, or after a reload
    stack.compose("restart", "proxy", "nginx")
    stack.wait()
    anna.page.wait_for_timeout(12_000)
    anna.page.reload()
    anna.wait_for_picture()
    type_command(anna, "echo back > ~/processed/third.txt")
    wait_for((processed / "third.txt").exists, "the file she typed after the proxy's restart")
    # everything, as an update of the machine does it: database, secrets and sessions are kept
    stack.compose("down")
    stack.up()
    # the demo's identity provider has forgotten its logins, so she signs in again; her session has not ended
    anna.page.goto(f"{stack.url}/hub/home")
    expect(anna.page.get_by_role("status").first).to_contain_text("The login provider has ended this login.")
    anna.login("anna")
    expect(anna.page.locator("#sessions")).to_contain_text("Terminal")
    (after,) = stack.sessions()
    assert (after["Id"], after["State"]) == (before["Id"], "running")
    anna.page.locator("#sessions").get_by_role("link", name="Open").click()
    anna.wait_for_picture()
    hosts = {urlsplit(url).netloc for url in anna.requests if url.startswith(("http", "ws"))}
    assert hosts == {f"localhost:{stack.port}", f"localhost:{stack.idp_port}"}
    stop_all(stack, anna)
    wait_for(lambda: stack.sessions() == [], "her container is gone")


@pytest.mark.browser
def test_who_has_no_account_is_reported_so(stack: Stack, browser: Browser) -> None:
    """The demo's people are those of the demo."""
    dmitri = stack.arrive(browser, "dmitri")
    expect(dmitri.page.locator("main")).to_contain_text("no account here yet")
    assert re.search(rf"localhost:{stack.idp_port}", dmitri.page.content())
    dmitri.context.close()


# -- what is written --------------------------------------------------------------------------------------------------


def test_versions_are_the_packages_own() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r"DAAS_VERSION:-([0-9.a-z]+)", text)) == {__version__}
    for name in ("hub/Dockerfile",):
        assert re.search(rf"^ARG VERSION={re.escape(__version__)}$", (ROOT / "images" / name).read_text(), re.MULTILINE)


def test_compose_file_publishes_nothing_but_for_this_machine() -> None:
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    ports = [port for service in document["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_setting_of_the_page_is_in_the_compose_file() -> None:
    """What the page tells to set exists."""
    page = Path(ROOT / "docs" / "how-to" / "portal-in-containers.md").read_text()
    known = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    assert set(re.findall(r"`(DAAS_[A-Z_]+)", page)) <= known
