"""The broker: a program between the hub and a container engine that lets through what the hub needs, nothing else.

Whoever reaches an engine's socket is root on its machine, so in a portal of containers the hub does not reach it: this
program does, and the hub reaches this program. Everything is an allow-list: the calls, their parameters, and each field
of the create call. What goes on to the engine is written anew from what was checked, never passed on as it came.

    python -m daas_hub.spawners.broker --listen /run/broker/engine.sock --engine unix:///var/run/docker.sock \
        --hub daas --image-prefix daas-hub/ --root /srv/daas/data --writable /srv/daas/homes
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
from aiohttp import HttpVersion10, HttpVersion11, web
from daas_hub.spawners.container import HUB_LABEL
from daas_hub.spawners.links import require_no_links
from daas_hub.spawners.permitted import CONTAINER_NAME, Forbidden, Rules, parse_strictly, require_session
from yarl import URL

#: The engine's interface that was checked against; every call goes on with this version.
API = "v1.44"
MAX_BODY_BYTES = 1_000_000
MAX_TARGET = 4096
MAX_MOUNTS = 64
#: Of the engine's answer to "info" the hub needs whether containers are confined; the rest tells of the machine.
INFO_FIELDS = ("ID", "Name", "ServerVersion", "OSType", "Architecture", "SecurityOptions")

_CONTAINER = r"(?P<container>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127})"
_IMAGE = r"(?P<image>[a-zA-Z0-9][a-zA-Z0-9._/:-]{0,200}(?:%40sha256:[0-9a-f]{64})?)"
_NUMBER = r"[0-9]{1,18}"
_YES_NO = r"(?i:true|false|0|1)"

_log = logging.getLogger("daas.broker")


# -- the calls -------------------------------------------------------------------------------------------------------


def _query(text: str, **allowed: str) -> dict[str, str]:
    """Give the parameters of a call: known ones, once each, of the given form."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=16) if text else []
    except ValueError as problem:
        raise Forbidden("the parameters cannot be read") from problem
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Forbidden("a parameter comes twice")
    for name, value in pairs:
        if name not in allowed or not re.fullmatch(allowed[name], value):
            raise Forbidden(f"parameter {name}={value[:100]!r} is not allowed")
    return found


@dataclass(frozen=True)
class _Call:
    """A call that was checked for its form: what it asks for, and how."""

    request: web.BaseRequest
    what: Mapping[str, str]
    query: str
    body: bytes


_Answer = web.StreamResponse
_Handler = Callable[["Broker", _Call], Any]


class Broker:
    """Serves one hub."""

    def __init__(self, rules: Rules, engine: str) -> None:
        """Take the path of the engine's socket."""
        self.rules = rules
        self._engine = engine
        self._session: aiohttp.ClientSession | None = None

    async def serve(self, socket: Path) -> web.ServerRunner:
        """Listen on a socket file only this user may connect to; whoever calls this ends it with `close`."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._engine, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            auto_decompress=False,
        )
        runner = web.ServerRunner(
            web.Server(self.handle, handler_cancellation=True, lingering_time=1.0, access_log=None)
        )
        await runner.setup()
        socket.unlink(missing_ok=True)  # noqa: ASYNC240  # before anybody is served
        before = os.umask(0o177)
        try:
            await web.UnixSite(runner, socket).start()
        finally:
            os.umask(before)
        return runner

    async def close(self, runner: web.ServerRunner) -> None:
        """Stop."""
        await runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def handle(self, request: web.BaseRequest) -> _Answer:
        """Answer one call of the hub."""
        try:
            handler, call = await self._admit(request)
            answer: _Answer = await handler(self, call)
            return answer
        except Forbidden as refusal:
            _log.warning("refused %s %.200r: %s", request.method, request.raw_path, refusal)
            return _told(refusal.status, f"The broker refuses this call: {refusal}.")
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            _log.error("the engine does not answer: %s", problem)
            return _told(503, "The engine does not answer.")

    async def _admit(self, request: web.BaseRequest) -> tuple[_Handler, _Call]:
        """Check a call's form, and find what does it."""
        target = request.raw_path
        if request.version not in (HttpVersion10, HttpVersion11):
            raise Forbidden("the version of HTTP is not known")
        if len(target) > MAX_TARGET:
            raise Forbidden("the address is too long")
        path, _, query = target.partition("?")
        for name in ("Transfer-Encoding", "Upgrade", "Expect", "Content-Encoding"):
            if name in request.headers:
                raise Forbidden(f"the header {name} is not allowed")
        length = request.content_length or 0
        if length > MAX_BODY_BYTES:
            raise Forbidden(f"the body has more than {MAX_BODY_BYTES} bytes", 413)
        for method, pattern, handler in _CALLS:
            match = pattern.fullmatch(path)
            if match is not None and method == request.method:
                body = await request.read()
                if len(body) != length or (body and handler is not Broker.create):
                    raise Forbidden("a body does not belong to this call")
                return handler, _Call(request, match.groupdict(), query, body)
        raise Forbidden("it is none of the calls a hub needs")

    # -- questions that belong to no container -------------------------------------------------------------------

    async def ping(self, call: _Call) -> _Answer:
        """GET /_ping."""
        _query(call.query)
        return await self._pass_on("GET", "/_ping")

    async def version(self, call: _Call) -> _Answer:
        """GET /version."""
        _query(call.query)
        return await self._pass_on("GET", "/version")

    async def info(self, call: _Call) -> _Answer:
        """GET /info, of which the hub gets what it needs."""
        _query(call.query)
        status, body = await self._ask("GET", f"/{API}/info")
        if status != 200:
            return _told(status, "The engine tells nothing.")
        found = json.loads(body)
        return web.json_response({name: found[name] for name in INFO_FIELDS if name in found})

    async def containers(self, call: _Call) -> _Answer:
        """GET /containers/json: this hub's, whatever was asked for."""
        asked = _query(
            call.query, all=_YES_NO, limit=r"-1|[0-9]{1,6}", size=_YES_NO, trunc_cmd=_YES_NO, filters=r"(?s:.{0,1000})"
        )
        query = {"all": _flag(asked.get("all", "0")), "filters": self._filters()}
        return await self._pass_on("GET", f"/{API}/containers/json", query)

    async def events(self, call: _Call) -> _Answer:
        """GET /events: of this hub's containers, whatever was asked for."""
        asked = _query(call.query, since=_NUMBER, until=_NUMBER, filters=r"(?s:.{0,1000})")
        query: dict[str, str] = {name: asked[name] for name in ("since", "until") if name in asked}
        query["filters"] = self._filters(type=["container"])
        return await self._stream(call, "GET", f"/{API}/events", query)

    async def image(self, call: _Call) -> _Answer:
        """GET /images/{name}/json."""
        _query(call.query)
        reference = call.what["image"].replace("%40", "@")
        self.rules.require_image(reference)
        return await self._pass_on("GET", f"/{API}/images/{call.what['image']}/json")

    async def pull(self, call: _Call) -> _Answer:
        """POST /images/create: exactly one tag or digest."""
        if not self.rules.may_pull:
            raise Forbidden("this hub fetches no images")
        asked = _query(call.query, fromImage=r"[^\s]{1,255}", tag=r"[^\s]{1,255}")
        if set(asked) != {"fromImage", "tag"}:
            raise Forbidden("a pull names an image and a tag")
        mark = "@" if asked["tag"].startswith("sha256:") else ":"
        self.rules.require_image(f"{asked['fromImage']}{mark}{asked['tag']}")
        login = call.request.headers.get("X-Registry-Auth", "")
        if not re.fullmatch(r"[A-Za-z0-9+/=_-]{0,16384}", login):
            raise Forbidden("the header X-Registry-Auth cannot be read")
        headers = {"X-Registry-Auth": login} if login else {}
        return await self._stream(call, "POST", f"/{API}/images/create", asked, headers)

    # -- containers ------------------------------------------------------------------------------------------------

    async def create(self, call: _Call) -> _Answer:
        """POST /containers/create."""
        name = _query(call.query, name=CONTAINER_NAME.pattern).get("name", "")
        if not name:
            raise Forbidden("a container of a session has a name")
        if call.request.content_type != "application/json":
            raise Forbidden("the body must be application/json")
        body = parse_strictly(call.body)
        await require_no_links(require_session(body, self.rules, name))
        return await self._pass_on("POST", f"/{API}/containers/create", {"name": name}, json.dumps(body).encode())

    async def inspect(self, call: _Call) -> _Answer:
        """GET /containers/{id}/json."""
        _query(call.query)
        found = await self._own(call)
        return web.json_response(found)

    async def logs(self, call: _Call) -> _Answer:
        """GET /containers/{id}/logs: the end of what was printed."""
        asked = _query(
            call.query, stdout=_YES_NO, stderr=_YES_NO, timestamps=_YES_NO, follow=r"(?i:false|0)", tail=r"[0-9]{1,4}"
        )
        found = await self._own(call)
        query = {name: _flag(asked.get(name, "0")) for name in ("stdout", "stderr", "timestamps")}
        query["tail"] = asked.get("tail", "40")
        return await self._stream(call, "GET", f"/{API}/containers/{found['Id']}/logs", query)

    async def start(self, call: _Call) -> _Answer:
        """POST /containers/{id}/start."""
        _query(call.query)
        found = await self._own(call)
        binds = [one for one in found.get("Mounts") or [] if one.get("Type") == "bind"]
        sources = [(str(one["Source"]), bool(one.get("RW"))) for one in binds]
        # again: what was a directory at the creation may be a link now
        await require_no_links([(path, self.rules.require_source(path, writable=rw)) for path, rw in sources])
        return await self._pass_on("POST", f"/{API}/containers/{found['Id']}/start")

    async def stop(self, call: _Call) -> _Answer:
        """POST /containers/{id}/stop."""
        return await self._act(call, "stop", t=r"[0-9]{1,3}")

    async def kill(self, call: _Call) -> _Answer:
        """POST /containers/{id}/kill."""
        return await self._act(call, "kill", signal=r"[A-Z0-9+]{1,12}")

    async def unpause(self, call: _Call) -> _Answer:
        """POST /containers/{id}/unpause."""
        return await self._act(call, "unpause")

    async def wait(self, call: _Call) -> _Answer:
        """POST /containers/{id}/wait."""
        return await self._act(call, "wait", condition="not-running|next-exit|removed")

    async def remove(self, call: _Call) -> _Answer:
        """DELETE /containers/{id}."""
        asked = _query(call.query, v=_YES_NO, force=_YES_NO, link=r"(?i:false|0)")
        found = await self._own(call)
        query: dict[str, str] = {name: _flag(asked[name]) for name in ("v", "force") if name in asked}
        return await self._pass_on("DELETE", f"/{API}/containers/{found['Id']}", query)

    async def _act(self, call: _Call, action: str, **allowed: str) -> _Answer:
        asked = _query(call.query, **allowed)
        found = await self._own(call)
        return await self._pass_on("POST", f"/{API}/containers/{found['Id']}/{action}", asked)

    async def _own(self, call: _Call) -> dict[str, Any]:
        """Give what the engine knows of a container, if it is this hub's; the call goes on with its id."""
        status, body = await self._ask("GET", f"/{API}/containers/{call.what['container']}/json")
        if status == 404:
            # a stranger's container and none at all: the hub is told the same of both only where it matters
            raise Forbidden(f"No such container: {call.what['container']}", 404)
        if status != 200:
            raise OSError(f"the engine answers {status} to a question about a container")
        found = json.loads(body)
        labels = (found.get("Config") or {}).get("Labels") or {}
        if labels.get(HUB_LABEL) != self.rules.hub or not re.fullmatch(r"[0-9a-f]{64}", str(found.get("Id"))):
            raise Forbidden("the container is not one of this hub's")
        return dict(found)

    def _filters(self, **more: list[str]) -> str:
        return json.dumps({"label": [f"{HUB_LABEL}={self.rules.hub}"], **more})

    # -- the engine --------------------------------------------------------------------------------------------------

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Ask the engine; once asked, it is done, also when the hub goes away meanwhile."""

        async def ask() -> tuple[int, bytes]:
            async with self._request(method, path, query or {}, body) as answer:
                return answer.status, await answer.read()

        return await asyncio.shield(asyncio.ensure_future(ask()))

    async def _pass_on(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> _Answer:
        status, said = await self._ask(method, path, query, body)
        if status == 204 or not said:
            return web.Response(status=status)
        kind = "application/json" if said[:1] in (b"{", b"[") else "text/plain"
        return web.Response(status=status, body=said, content_type=kind)

    async def _stream(
        self, call: _Call, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> _Answer:
        """Pass an answer on as it comes; the end of either side is the end."""
        async with self._request(method, path, query, None, headers) as engine:
            answer = web.StreamResponse(status=engine.status)
            answer.content_type = engine.content_type
            answer.enable_chunked_encoding()
            await answer.prepare(call.request)
            try:
                async for piece in engine.content.iter_any():
                    await answer.write(piece)
                await answer.write_eof()
            except (aiohttp.ClientError, OSError) as problem:
                # an end in the middle must not look like the end
                _log.info("a stream ended early: %s", problem)
                if call.request.transport is not None:
                    call.request.transport.abort()
            return answer

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        assert self._session is not None
        url = URL(f"http://engine{path}" + (f"?{urlencode(query)}" if query else ""), encoded=True)
        sent = {"Content-Type": "application/json", **(headers or {})} if body is not None else dict(headers or {})
        return self._session.request(method, url, data=body, headers=sent, allow_redirects=False)


def _flag(value: str) -> str:
    return "1" if value.lower() in ("1", "true") else "0"


def _told(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _call(method: str, path: str, handler: _Handler) -> tuple[str, re.Pattern[str], _Handler]:
    return method, re.compile(path), handler


_V = rf"/{re.escape(API)}"
_CALLS = (
    _call("GET", rf"(?:{_V})?/_ping", Broker.ping),
    _call("HEAD", rf"(?:{_V})?/_ping", Broker.ping),
    _call("GET", rf"(?:{_V})?/version", Broker.version),
    _call("GET", rf"{_V}/info", Broker.info),
    _call("GET", rf"{_V}/events", Broker.events),
    _call("GET", rf"{_V}/images/{_IMAGE}/json", Broker.image),
    _call("POST", rf"{_V}/images/create", Broker.pull),
    _call("GET", rf"{_V}/containers/json", Broker.containers),
    _call("POST", rf"{_V}/containers/create", Broker.create),
    _call("GET", rf"{_V}/containers/{_CONTAINER}/json", Broker.inspect),
    _call("GET", rf"{_V}/containers/{_CONTAINER}/logs", Broker.logs),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/start", Broker.start),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/stop", Broker.stop),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/kill", Broker.kill),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/unpause", Broker.unpause),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/wait", Broker.wait),
    _call("DELETE", rf"{_V}/containers/{_CONTAINER}", Broker.remove),
)


# -- the program -----------------------------------------------------------------------------------------------------


def require_out_of_reach(rules: Rules, *sockets: str) -> None:
    """Check that no session can be shown a socket of the engine or of this program.

    Raises:
        ValueError: one is below a directory that may be mounted.
    """
    for socket in sockets:
        places = {os.path.abspath(socket), os.path.realpath(socket)}
        for root in (*rules.roots, *rules.writable):
            real = os.path.realpath(root)
            if any(place.startswith((f"{root}/", f"{real}/")) for place in places):
                raise ValueError(f"{socket} is below {root}, which sessions may be shown")


def arguments(argv: list[str]) -> tuple[Rules, str, Path]:
    """Read the command line: the rules, the engine's socket, and the own one."""
    parser = argparse.ArgumentParser(prog="broker", description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--listen", required=True, metavar="FILE", help="socket file to listen on")
    parser.add_argument("--engine", default="unix:///var/run/docker.sock", help="the engine, unix:///...")
    parser.add_argument("--hub", required=True, help="ProposalDockerSpawner.hub_label of the hub")
    parser.add_argument("--image", action="append", default=[], metavar="REFERENCE", help="an image it may use")
    parser.add_argument("--image-prefix", action="append", default=[], metavar="NAME/", help="begin of such images")
    parser.add_argument("--root", action="append", default=[], metavar="DIR", help="may be mounted read-only")
    parser.add_argument("--writable", action="append", default=[], metavar="DIR", help="what is below may be written")
    parser.add_argument("--lowest-id", type=int, default=1000, help="Facility.lowest_id")
    parser.add_argument("--highest-id", type=int, default=60_000_000, help="Facility.highest_id")
    parser.add_argument("--no-pull", action="store_true", help="it may use images that are there, and fetch none")
    given = parser.parse_args(argv)
    if not given.engine.startswith("unix:///"):
        parser.error("--engine: only a socket file of this machine, unix:///...")
    try:
        rules = Rules(
            given.hub,
            frozenset(given.image),
            tuple(given.image_prefix),
            tuple(given.root),
            tuple(given.writable),
            given.lowest_id,
            given.highest_id,
            not given.no_pull,
        )
        engine = given.engine.removeprefix("unix://")
        require_out_of_reach(rules, engine, given.listen)
    except ValueError as problem:
        parser.error(str(problem))
    return rules, engine, Path(given.listen)


async def run(rules: Rules, engine: str, listen: Path) -> None:
    """Serve until ended."""
    broker = Broker(rules, engine)
    runner = await broker.serve(listen)
    _log.info("serving %s for the hub %s", listen, rules.hub)
    try:
        await asyncio.Event().wait()
    finally:
        await broker.close(runner)


def main() -> None:
    """Run the program."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    asyncio.run(run(*arguments(sys.argv[1:])))


if __name__ == "__main__":
    main()
