"""Plays the sessions of pods that run on no computer: answers at all their addresses, and arrives as `daas-pod` does.

    python -m benchmarks.fake_sessions '{"url": ..., "ca": ..., "token": ..., "port": ...}' NAMESPACE...

A pod of a stock hub only answers. One of ours proves what it was granted at the session gateway, from its own address
and with the token of its Secret, and then reports every ten seconds that it lives, and every minute that it is used.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import itertools
import json
import ssl
import sys
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

HEARTBEAT_S = 10.0
#: Everybody works: a session in use reports that every minute.
BEATS_OF_AN_ACTIVITY = 6
TRY_AGAIN_S = 0.05
Json = dict[str, Any]


class Sessions:
    """The sessions of one namespace."""

    def __init__(self, http: aiohttp.ClientSession, namespace: str) -> None:
        self._http = http
        self._path = f"/api/v1/namespaces/{namespace}"
        self._known: dict[str, asyncio.Task[None]] = {}

    async def play(self) -> None:
        """Follow the pods of the namespace, without end."""
        while True:
            params = {"watch": "true", "timeoutSeconds": "3600"}
            async with self._http.get(f"{self._path}/pods", params=params) as response:
                while line := await response.content.readline():
                    change = json.loads(line)
                    self._look_at(change["type"], change["object"])

    def _look_at(self, kind: str, pod: Json) -> None:
        uid = (pod.get("metadata") or {}).get("uid", "")
        if kind == "DELETED":
            if (task := self._known.pop(uid, None)) is not None:
                task.cancel()
            return
        address = (pod.get("status") or {}).get("podIP")
        variables = {one["name"]: one.get("value", "") for one in _container(pod).get("env") or ()}
        if address and uid not in self._known and (gateway := variables.get("DAAS_GATEWAY")):
            self._known[uid] = asyncio.create_task(self._be_session(pod, address, gateway))

    async def _be_session(self, pod: Json, address: str, gateway: str) -> None:
        secret = _container(pod)["envFrom"][0]["secretRef"]["name"]
        async with self._http.get(f"{self._path}/secrets/{secret}") as response:
            data = (await response.json())["data"]
        given = {name: base64.b64decode(value).decode() for name, value in data.items()}
        token = given["JUPYTERHUB_API_TOKEN"]
        wanted = None
        while wanted is None:
            wanted = await ask(gateway, address, token, "/session/arrival", {})
            await asyncio.sleep(0 if wanted else TRY_AGAIN_S)
        # what a session is granted that has no directories of the hub's
        directories = [[1, 1, path.endswith("/data")] for path in wanted.get("directories", ())]
        await ask(gateway, address, token, "/session/arrival", {"directories": directories, "open": []})
        activity_path = urlsplit(given["JUPYTERHUB_ACTIVITY_URL"]).path
        for beat in itertools.count(1):
            await asyncio.sleep(HEARTBEAT_S)
            await ask(gateway, address, token, "/session/heartbeat", {})
            if beat % BEATS_OF_AN_ACTIVITY == 0:
                now = datetime.datetime.now(datetime.UTC).isoformat()
                report = {"servers": {given["JUPYTERHUB_SERVER_NAME"]: {"last_activity": now}}, "last_activity": now}
                await ask(gateway, address, token, activity_path, report)


def _container(pod: Json) -> Json:
    found: Json = next(iter((pod.get("spec") or {}).get("containers") or ()), {})
    return found


async def ask(gateway: str, address: str, token: str, path: str, document: Json) -> Json | None:
    """Send a document to the session gateway from a pod's address; None if it was not let in."""
    host, _, port = gateway.rpartition(":")
    body = json.dumps(document)
    writer = None
    try:
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=(address, 0))
        head = f"POST {path} HTTP/1.1\r\nHost: {gateway}\r\nAuthorization: token {token}\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        status, _, rest = (await reader.read()).partition(b"\r\n")
        return json.loads(rest.partition(b"\r\n\r\n")[2]) if b" 200 " in status else None
    except (OSError, ValueError):
        return None
    finally:
        if writer is not None:
            writer.close()


async def answer(_: web.Request) -> web.Response:
    """Answer as a session does that is ready."""
    return web.json_response({"version": "6"}, headers={"X-JupyterHub-Version": "6.1.1"})


async def main() -> None:
    """Read the command line; play until the end."""
    given = json.loads(sys.argv[1])
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", given["port"], backlog=1024).start()
    http = aiohttp.ClientSession(
        given["url"], headers={"Authorization": f"Bearer {given['token']}"},
        connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=given["ca"]), limit=0),
        timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**24,
    )  # fmt: skip
    async with http:
        await asyncio.gather(*(Sessions(http, one).play() for one in sys.argv[2:]))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
