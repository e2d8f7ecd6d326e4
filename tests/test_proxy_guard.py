"""What the proxy passes on to a session, with a real proxy: nothing that belongs to the web server in front."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from daas_hub.configuration import proxy_command
from daas_hub.proxy_guard import guard_environment
from tests.live_portal import free_ports
from tests.not_tried import missing

#: What an administrator may have configured.
OPTIONS = {"proof_header": "X-Site-Key", "subject_header": "X-Site-User", "cookies": ["site_sso"]}
PRIVATE = {"X-Daas-Subject": "anna", "X-Daas-Proof": "secret", "X-Site-User": "anna", "X-Site-Key": "secret"}
COOKIES = [
    "_shibsession_64656661756c74=_1",
    "_shibstate_1=x",
    "_opensaml_req_ss%3Amem%3A1=_2",
    "mod_auth_openidc_session=3",
    "mod_auth_openidc_state_x=4",
    "SimpleSAMLAuthToken=5",
    "SimpleSAMLSessionID=6",
    "site_sso_0=7",
]
BROWSER = {"Accept": "text/html,*/*"}
KEPT = ["jupyterhub-session-id=a", "_xsrf=b|c", "my_shibsession_=d", "daas-session=e"]


class Printer(BaseHTTPRequestHandler):
    """A session whose server prints the headers it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Return them, or switch to another protocol and send them."""
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        if "Upgrade" in self.headers:
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("X-Received", body.decode())
            self.end_headers()
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Do not log."""


@contextlib.contextmanager
def running_proxy(options: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Run a proxy with the guard, and return its address."""
    command = proxy_command()
    if not command:
        missing("proxy", "configurable-http-proxy is not installed")
    port = free_ports(2)
    argv = [*command, "--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(port + 1)]
    env = os.environ | environment | {"CONFIGPROXY_AUTH_TOKEN": "t"}
    process = subprocess.Popen([*argv, *options], env=env, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of a proxy before such a session."""
    session = HTTPServer(("127.0.0.1", 0), Printer)
    threading.Thread(target=session.serve_forever, daemon=True).start()
    options = ["--default-target", f"http://127.0.0.1:{session.server_port}"]
    with running_proxy(options, guard_environment(OPTIONS)) as found:
        yield found
    session.shutdown()
    session.server_close()


def received(address: str, path: str, **headers: str) -> dict[str, str]:
    """Return the headers that the session got."""
    request = requests.Request("GET", address, headers=headers).prepare()
    request.url = address + path  # as it is, which a browser or requests itself would normalise
    with requests.Session() as session:
        return dict(session.send(request, timeout=30).json())


SESSIONS = [
    "/user/anna/lab-1/",
    "/user/anna/lab-1/proxy/8080/",
    "/user/anna/lab-1/hub/proxy_login",
    "/%75ser/anna/lab-1/hub/proxy_login",
    "/daas/user/anna/lab-1/x/hub/proxy_login",
    "/user/anna/lab-1/?x=/hub/proxy_login",
    "/hub/home",
    "/hub/proxy_login/",
    "//hub/proxy_login",
    "/hub/proxy%5Flogin",
    "/daas/hub/proxy_login",
    "/services/x/hub/proxy_login",
    "/user/anna/lab-1/x/../../../../hub/proxy_login",
    "/user/anna/lab-1/%E2%80%A8/hub/proxy_login",
]


@pytest.mark.parametrize("path", ["/user\\anna\\lab-1\\x/../hub/proxy_login", "/hub\\proxy_login"])
def test_a_path_with_a_backslash_is_refused(address: str, path: str) -> None:
    """A web server in front takes it for the sign-in, and adds the proof; the proxy would send it to a session."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "X-Daas-Proof: secret", "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"secret" not in answer


@pytest.mark.parametrize("path", SESSIONS)
def test_no_proof_leaves_the_hubs_own_address(address: str, path: str) -> None:
    got = received(address, path, Accept="text/plain", **PRIVATE)
    assert not {name.lower() for name in PRIVATE} & {*got}
    assert got["accept"] == "text/plain"


@pytest.mark.parametrize("path", ["/hub/proxy_login", "/hub/proxy_login?next=/user/a/b/c"])
def test_the_hub_gets_it(address: str, path: str) -> None:
    got = received(address, path, **PRIVATE)
    assert {name: got.get(name.lower()) for name in PRIVATE} == PRIVATE


@pytest.mark.parametrize("path", ["/user/anna/lab-1/", "/hub/home", "/hub/proxy_login"])
def test_the_web_servers_cookies_go_nowhere(address: str, path: str) -> None:
    mixed = [cookie for pair in zip(COOKIES, KEPT * 2, strict=True) for cookie in pair]
    assert received(address, path, Cookie="; ".join(mixed))["cookie"] == "; ".join(KEPT * 2)
    assert "cookie" not in received(address, path, Cookie="; ".join(COOKIES))


def test_other_cookies_stay_as_they_are(address: str) -> None:
    assert received(address, "/user/anna/lab-1/", Cookie='a="b c"; d=;e')["cookie"] == 'a="b c"; d=;e'


def test_a_websocket_as_well(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    lines = ["GET /user/anna/lab-1/api HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Cookie: {'; '.join(COOKIES + KEPT)}", *(f"{name}: {value}" for name, value in PRIVATE.items())]
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            part = connection.recv(4096)
            assert part, head
            head += part
    assert head.startswith(b"HTTP/1.1 101")
    got = json.loads(head.decode().lower().partition("x-received: ")[2].partition("\r\n")[0])
    assert not {name.lower() for name in PRIVATE} & {*got}
    assert got["cookie"] == "; ".join(KEPT)


@pytest.mark.parametrize(
    "options", [{}, {"proof_header": 1, "cookies": "x"}, {"cookies": None}], ids=["nothing", "wrong types", "none"]
)
def test_what_cannot_be_used_adds_nothing(options: dict[str, object]) -> None:
    assert guard_environment(options, "/daas/hub/") == {
        "DAAS_GUARD_SIGN_IN": "/daas/hub/proxy_login",
        "DAAS_GUARD_HEADERS": "",
        "DAAS_GUARD_COOKIES": "",
    }


@pytest.fixture(scope="module", params=["its routes are known", "restarted, and without routes"])
def without_hub(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of a proxy whose hub does not run."""
    nobody = f"http://127.0.0.1:{free_ports(1)}"
    routes = [] if "without" in request.param else ["--default-target", nobody]
    with running_proxy([*routes, "--error-target", f"{nobody}/hub/error"], {}) as found:
        yield found


def test_a_browser_without_a_hub_gets_a_page_that_tries_again(without_hub: str) -> None:
    answer = requests.get(f"{without_hub}/hub/home", headers=BROWSER, timeout=30)

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "The portal does not respond at the moment" in answer.text
    assert '<meta http-equiv="refresh" content="5">' in answer.text
    # nothing of another host, no script
    assert "http://" not in answer.text
    assert "<script" not in answer.text


@pytest.mark.parametrize("path", ["/hub/launch", "/hub/sessions/one/stop"])
def test_a_browser_without_a_hub_sends_a_launch_and_a_stop_again(without_hub: str, path: str) -> None:
    begun = time.monotonic()
    answer = requests.post(without_hub + path, {"a": "b"}, headers=BROWSER, allow_redirects=False, timeout=30)

    assert (answer.status_code, answer.headers["Location"]) == (307, f"{path}?again=1")
    assert answer.headers["Cache-Control"] == "no-store"
    assert time.monotonic() - begun > 3, "browsers follow 20 redirects at most, which have to last"
    answer = requests.post(f"{without_hub}{path}?again=17", headers=BROWSER, allow_redirects=False, timeout=30)
    assert answer.headers["Location"] == f"{path}?again=18"
    # before the browser gives up with an error of its own
    answer = requests.post(f"{without_hub}{path}?again=18", headers=BROWSER, allow_redirects=False, timeout=30)
    assert answer.status_code == 503
    assert "The portal does not respond at the moment" in answer.text


@pytest.mark.parametrize(
    "path", ["/hub/login", "/hub/launch/x", "/hub/sessions/a/b/stop", "/user/anna/lab-1/hub/launch", "//hub/launch"]
)
def test_no_other_form_is_sent_again(without_hub: str, path: str) -> None:
    request = requests.Request("POST", without_hub, headers=BROWSER).prepare()
    request.url = without_hub + path
    with requests.Session() as session:
        answer = session.send(request, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.text) in ((503, "Service Unavailable"), (404, "Not Found"))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_program_without_a_hub_gets_the_status(without_hub: str, method: str) -> None:
    answer = requests.request(method, f"{without_hub}/hub/api/", headers={"Accept": "application/json"}, timeout=30)
    assert (answer.status_code, answer.text) in ((503, "Service Unavailable"), (404, "Not Found"))
