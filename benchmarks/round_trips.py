"""Which requests of a launch the frame waits for, and how often each crosses the network, as the browser saw them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

#: What a request is for, by its method and path. The first that matches names it.
REASONS = (
    (r"POST /hub/launch", "the form: authorises and starts the session, answers with its address"),
    (r"POST /hub/api/users/", "the stock hub's start"),
    (r"GET /hub/(sessions|spawn-pending)/", "the progress page"),
    (r"GET /hub/api/users/.*/progress", "the progress page's events"),
    (r"GET /hub/sessions?.*events", "the progress page's events"),
    (r"GET /hub/spawn", "the stock hub's start"),
    (r"GET /hub/api/oauth2/authorize", "sign-in: the hub identifies the browser, makes a code"),
    (r"GET /user/.*/oauth_callback", "sign-in: the session exchanges the code, sets its cookie"),
    (r"GET /user/.*/rfb$", "the screen's web socket: the updates come through it"),
    (r"GET /user/.*/desktop-websockify/", "the screen's web socket: the updates come through it"),
    (r"GET .*\.(js|css|svg|png|ico|woff2?)$", "a file of the page"),
    (r"GET /user/", "the session's page"),
    (r"GET /hub/user/", "the stock hub's answer for a server that is not in the proxy's table yet"),
)
#: Kinds of requests that no frame waits for: images and icons.
NOT_WAITED_FOR = {"Image", "Other"}
#: Requests that a page makes beside what it shows: the state of the application.
BESIDE = re.compile(r"GET /user/.*/status$")


@dataclass(frozen=True)
class Crossing:
    """One request, or one exchange of messages on a web socket, in seconds on the browser's clock."""

    name: str
    reason: str
    begin: float
    end: float
    round_trips: int


class Recorder:
    """The network events of a page, from its creation on."""

    def __init__(self, page: Page, round_trip_s: float) -> None:
        """Record what the page does from now on, over a link of this round trip."""
        self._round_trip_s = round_trip_s
        self._requests: dict[str, dict[str, Any]] = {}
        self._crossings: list[Crossing] = []
        self._messages: list[tuple[float, bool]] = []
        self._offset = 0.0
        session = page.context.new_cdp_session(page)
        for event, keep in {
            "Network.requestWillBeSent": self._sent,
            "Network.responseReceived": self._answered,
            "Network.loadingFinished": self._finished,
            "Network.webSocketCreated": self._socket_created,
            "Network.webSocketWillSendHandshakeRequest": self._socket_sent,
            "Network.webSocketHandshakeResponseReceived": self._socket_opened,
            "Network.webSocketFrameSent": lambda event: self._messages.append((event["timestamp"], True)),
            "Network.webSocketFrameReceived": lambda event: self._messages.append((event["timestamp"], False)),
        }.items():
            session.on(event, keep)
        session.send("Network.enable")

    def critical_path(self, clicked: float, frame: float) -> list[Crossing]:
        """Return what the frame waited for, in order: before each begins, the one that ended last.

        Args:
            clicked, frame: seconds on the machine's clock.
        """
        found = [
            Crossing(one.name, one.reason, one.begin - clicked, one.end - clicked, one.round_trips)
            for one in [*self._crossings, *self._exchanges()]
            if clicked - 0.05 <= one.begin and one.end <= frame + 0.01 and not BESIDE.search(one.name)
        ]
        path: list[Crossing] = []
        limit = frame - clicked
        while earlier := [one for one in found if one.end <= limit + 0.002]:
            path.insert(0, max(earlier, key=lambda one: one.end))
            found.remove(path[0])
            limit = path[0].begin
        return path

    def _sent(self, event: dict[str, Any]) -> None:
        self._offset = event["wallTime"] - event["timestamp"]
        if "redirectResponse" in event:
            self._keep(event["requestId"], event["redirectResponse"], event["timestamp"])
        request = event["request"]
        if event["type"] in NOT_WAITED_FOR:
            self._requests.pop(event["requestId"], None)
            return
        self._requests[event["requestId"]] = {
            "name": _name(request["method"], request["url"]), "begin": event["timestamp"], "response": None,
        }  # fmt: skip

    def _answered(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self._requests:
            self._requests[event["requestId"]]["response"] = event["response"]
            # a page is read while it arrives: what it names is requested before it has ended
            if event["type"] == "Document":
                self._keep(event["requestId"], event["response"], event["timestamp"])

    def _finished(self, event: dict[str, Any]) -> None:
        request = self._requests.get(event["requestId"])
        if request and request["response"]:
            self._keep(event["requestId"], request["response"], event["timestamp"])

    def _keep(self, number: str, response: Mapping[str, Any], end: float) -> None:
        request = self._requests.pop(number, None)
        if request is None or not response["url"].startswith("http"):
            return
        # what takes less than the distance comes from a cache
        if end - request["begin"] < self._round_trip_s:
            return
        timing = response.get("timing") or {}
        opened = [part for part in ("connectStart", "sslStart") if timing.get(part, -1) >= 0]
        self._add(request["name"], request["begin"], end, 1 + len(opened))

    def _socket_created(self, event: dict[str, Any]) -> None:
        self._requests[event["requestId"]] = {"name": _name("GET", event["url"]), "secure": event["url"][:3] == "wss"}

    def _socket_sent(self, event: dict[str, Any]) -> None:
        # Chromium reports it once the connection is open: one round trip for TCP, one for TLS
        self._requests[event["requestId"]]["sent"] = event["timestamp"]

    def _socket_opened(self, event: dict[str, Any]) -> None:
        request = self._requests.pop(event["requestId"])
        self._add(request["name"], request["sent"], event["timestamp"], 2 + request["secure"])

    def _add(self, name: str, begin: float, end: float, round_trips: int) -> None:
        reason = next((reason for pattern, reason in REASONS if re.search(pattern, name)), "")
        self._crossings.append(Crossing(name, reason, begin + self._offset, end + self._offset, round_trips))

    def _exchanges(self) -> list[Crossing]:
        """Return each pair of a message and its answer on the web socket.

        What comes earlier than any answer could was on its way already.
        """
        found, asked = [], None
        for at, is_ours in self._messages:
            if is_ours:
                asked = at if asked is None else asked
            elif asked is not None:
                begin, end = asked + self._offset, at + self._offset
                if end - begin < self._round_trip_s:
                    continue
                found.append(Crossing("web socket", "messages of its protocol, and the answer", begin, end, 1))
                asked = None
        return found


def _name(method: str, url: str) -> str:
    # the stock hub's people have one server, without a name
    path = re.sub(r"^/user/[^/]+/(?!desktop(-websockify)?/)[^/]+/", "/user/NAME/SESSION/", urlsplit(url).path)
    return f"{method} {re.sub(r'^/hub/sessions/[^/]+', '/hub/sessions/SESSION', path)}"
