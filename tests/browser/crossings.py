"""What a page requests over the network, as Chromium reports it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page


def crossings(page: Page) -> list[str]:
    """Return what this page requests over the network from now on, in order; the list grows."""
    crossed: dict[str, str] = {}
    found: list[str] = []
    events = page.context.new_cdp_session(page)

    def keep(event: dict[str, Any]) -> None:
        response = event["response"]
        if response.get("fromDiskCache") or response.get("fromPrefetchCache") or event["requestId"] not in crossed:
            return
        found.append(crossed[event["requestId"]])

    def send(event: dict[str, Any]) -> None:
        if "redirectResponse" in event:
            found.append(crossed[event["requestId"]])
        crossed[event["requestId"]] = f"{event['request']['method']} {urlsplit(event['request']['url']).path}"

    events.on("Network.requestWillBeSent", send)
    events.on("Network.requestServedFromCache", lambda event: crossed.pop(event["requestId"], None))
    events.on("Network.responseReceived", keep)
    events.on("Network.webSocketCreated", lambda event: found.append(f"web socket {urlsplit(event['url']).path}"))
    events.send("Network.enable")
    return found
