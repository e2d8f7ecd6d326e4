"""Runs a cell in the notebook server of a session, as its page does."""

from __future__ import annotations

import json
import uuid

from websockets.sync.client import ClientConnection, connect

from tests.live_portal import Person


def run_cell(person: Person, session: str, source: str, *, timeout_s: float = 60) -> str:
    """Run Python in a new kernel of the session; return what it prints. It must not fail."""
    base = f"/user/{person.name}/{session}/"
    assert person.get(f"{base}lab").status_code == 200
    url, cookies = person.portal.url, person.session.cookies
    token = next(one.value or "" for one in cookies if one.name == "_xsrf" and one.path == base)
    kernel = person.session.post(f"{url}{base}api/kernels", headers={"X-XSRFToken": token}).json()["id"]
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "1",
        "version": "5.3",
    }
    content = {"code": source, "silent": False, "allow_stdin": False}
    message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
    cookie = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in cookies if base.startswith(one.path))}
    address = f"ws{url.removeprefix('http')}{base}api/kernels/{kernel}/channels"
    with connect(address, origin=url, additional_headers=cookie) as channel:  # type: ignore[arg-type]
        channel.send(json.dumps(message))
        printed = _output(channel, header["msg_id"], timeout_s)
    person.session.delete(f"{url}{base}api/kernels/{kernel}", headers={"X-XSRFToken": token})
    return printed


def _output(channel: ClientConnection, request: str, timeout_s: float) -> str:
    """Return what the cell prints until its kernel is idle, which it says after the last output."""
    printed = ""
    while True:
        reply = json.loads(channel.recv(timeout=timeout_s))
        if reply["parent_header"].get("msg_id") != request:
            continue
        content = reply["content"]
        assert reply["msg_type"] != "error", "\n".join(content["traceback"])
        if reply["msg_type"] == "stream":
            printed += content["text"]
        if content.get("execution_state") == "idle":
            return printed
