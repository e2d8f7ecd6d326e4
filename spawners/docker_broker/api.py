"""The calls that the broker admits, each with its parameters, and only for containers of its hub.

Everything is an allow-list. What is sent to the engine is built from what was checked, never forwarded as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import HttpVersion10, HttpVersion11, web

from daas_hub.spawners.docker.container_spec import HUB_LABEL
from daas_hub.spawners.docker_broker.engine_client import EngineClient
from daas_hub.spawners.docker_broker.policy import CONTAINER_NAME, Forbidden, Rules, parse_strictly, require_session
from daas_hub.spawners.docker_broker.symlinks import require_no_links

#: The engine's interface that was checked against; every call is sent with this version.
API = "v1.44"
MAX_BODY_BYTES = 1_000_000
MAX_TARGET = 4096
#: Of the engine's answer to "info" the hub needs how containers are confined; the rest is about the machine.
INFO_FIELDS = ("ID", "Name", "ServerVersion", "OSType", "Architecture", "SecurityOptions")

_CONTAINER = r"(?P<container>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127})"
_IMAGE = r"(?P<image>[a-zA-Z0-9][a-zA-Z0-9._/:-]{0,200}(?:(?:%40|@)sha256:[0-9a-f]{64})?)"
_NUMBER = r"[0-9]{1,18}"
_YES_NO = r"(?i:true|false|0|1)"


@dataclass(frozen=True)
class Call:
    """A call whose form was checked."""

    request: web.BaseRequest
    what: Mapping[str, str]
    query: str
    body: bytes


Answer = web.StreamResponse
Handler = Callable[["Calls", Call], Any]


class Calls:
    """What a hub may ask of this engine, by these rules."""

    def __init__(self, rules: Rules, engine: EngineClient) -> None:
        self.rules = rules
        self.require_no_links = require_no_links
        self._engine = engine

    async def answer(self, request: web.BaseRequest) -> Answer:
        """Answer one call.

        Raises:
            Forbidden: it is not one of these calls, is malformed, or concerns something that is not this hub's.
            aiohttp.ClientError, OSError, TimeoutError: the engine does not answer.
        """
        handler, call = await self._admit(request)
        answer: Answer = await handler(self, call)
        return answer

    async def _admit(self, request: web.BaseRequest) -> tuple[Handler, Call]:
        """Check a call's form, and return its handler."""
        target = request.raw_path
        if request.version not in (HttpVersion10, HttpVersion11):
            raise Forbidden("unknown version of HTTP")
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
                if len(body) != length or (body and handler is not Calls.create):
                    raise Forbidden("this call takes no body")
                return handler, Call(request, match.groupdict(), query, body)
        raise Forbidden("it is not a call that a hub needs")

    # -- questions that belong to no container -------------------------------------------------------------------

    async def ping(self, call: Call) -> Answer:
        """GET /_ping."""
        query_of(call.query)
        return await self._engine.pass_on("GET", "/_ping")

    async def version(self, call: Call) -> Answer:
        """GET /version."""
        query_of(call.query)
        return await self._engine.pass_on("GET", "/version")

    async def info(self, call: Call) -> Answer:
        """GET /info, reduced to what the hub needs."""
        query_of(call.query)
        status, body = await self._engine.ask("GET", f"/{API}/info")
        if status != 200:
            return message(status, "The engine gives no information.")
        found = json.loads(body)
        return web.json_response({name: found[name] for name in INFO_FIELDS if name in found})

    async def containers(self, call: Call) -> Answer:
        """GET /containers/json: this hub's, whatever was asked for."""
        asked = query_of(
            call.query, all=_YES_NO, limit=r"-1|[0-9]{1,6}", size=_YES_NO, trunc_cmd=_YES_NO, filters=r"(?s:.{0,1000})"
        )
        query = {"all": _flag(asked.get("all", "0")), "filters": self._filters()}
        return await self._engine.pass_on("GET", f"/{API}/containers/json", query)

    async def events(self, call: Call) -> Answer:
        """GET /events: of this hub's containers, whatever was asked for."""
        asked = query_of(call.query, since=_NUMBER, until=_NUMBER, stream=_YES_NO, filters=r"(?s:.{0,1000})")
        query: dict[str, str] = {name: asked[name] for name in ("since", "until") if name in asked}
        query["filters"] = self._filters(type=["container"])
        return await self._engine.stream(call.request, "GET", f"/{API}/events", query)

    async def image(self, call: Call) -> Answer:
        """GET /images/{name}/json."""
        query_of(call.query)
        reference = call.what["image"].replace("%40", "@")
        self.rules.require_image(reference)
        return await self._engine.pass_on("GET", f"/{API}/images/{call.what['image']}/json")

    async def pull(self, call: Call) -> Answer:
        """POST /images/create: exactly one tag or digest."""
        if not self.rules.may_pull:
            raise Forbidden("this hub may not pull images")
        asked = query_of(call.query, fromImage=r"[^\s]{1,255}", tag=r"[^\s]{1,255}")
        if set(asked) != {"fromImage", "tag"}:
            raise Forbidden("a pull names an image and a tag")
        mark = "@" if asked["tag"].startswith("sha256:") else ":"
        self.rules.require_image(f"{asked['fromImage']}{mark}{asked['tag']}")
        login = call.request.headers.get("X-Registry-Auth", "")
        if not re.fullmatch(r"[A-Za-z0-9+/=_-]{0,16384}", login):
            raise Forbidden("the header X-Registry-Auth cannot be read")
        headers = {"X-Registry-Auth": login} if login else {}
        return await self._engine.stream(call.request, "POST", f"/{API}/images/create", asked, headers)

    # -- containers ------------------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Answer:
        """POST /containers/create."""
        name = query_of(call.query, name=CONTAINER_NAME.pattern).get("name", "")
        if not name:
            raise Forbidden("a container of a session has a name")
        if call.request.content_type != "application/json":
            raise Forbidden("the body must be application/json")
        body = parse_strictly(call.body)
        await self.require_no_links(require_session(body, self.rules, name))
        return await self._engine.pass_on(
            "POST", f"/{API}/containers/create", {"name": name}, json.dumps(body).encode()
        )

    async def inspect(self, call: Call) -> Answer:
        """GET /containers/{id}/json."""
        query_of(call.query)
        found = await self._own(call)
        return web.json_response(found)

    async def logs(self, call: Call) -> Answer:
        """GET /containers/{id}/logs: the last lines it printed."""
        asked = query_of(
            call.query, stdout=_YES_NO, stderr=_YES_NO, timestamps=_YES_NO, follow=r"(?i:false|0)", tail=r"[0-9]{1,4}"
        )
        found = await self._own(call)
        query = {name: _flag(asked.get(name, "0")) for name in ("stdout", "stderr", "timestamps")}
        query["tail"] = asked.get("tail", "40")
        return await self._engine.stream(call.request, "GET", f"/{API}/containers/{found['Id']}/logs", query)

    async def start(self, call: Call) -> Answer:
        """POST /containers/{id}/start."""
        query_of(call.query)
        found = await self._own(call)
        binds = [one for one in found.get("Mounts") or [] if one.get("Type") == "bind"]
        sources = [(str(one["Source"]), bool(one.get("RW"))) for one in binds]
        # once more: what was a directory at the creation may be a link now
        await self.require_no_links([(path, self.rules.require_source(path, writable=rw)) for path, rw in sources])
        return await self._engine.pass_on("POST", f"/{API}/containers/{found['Id']}/start")

    async def stop(self, call: Call) -> Answer:
        """POST /containers/{id}/stop."""
        return await self._act(call, "stop", t=r"[0-9]{1,3}")

    async def kill(self, call: Call) -> Answer:
        """POST /containers/{id}/kill."""
        return await self._act(call, "kill", signal=r"[A-Z0-9+]{1,12}")

    async def unpause(self, call: Call) -> Answer:
        """POST /containers/{id}/unpause."""
        return await self._act(call, "unpause")

    async def wait(self, call: Call) -> Answer:
        """POST /containers/{id}/wait."""
        return await self._act(call, "wait", condition="not-running|next-exit|removed")

    async def remove(self, call: Call) -> Answer:
        """DELETE /containers/{id}."""
        asked = query_of(call.query, v=_YES_NO, force=_YES_NO, link=r"(?i:false|0)")
        found = await self._own(call)
        query: dict[str, str] = {name: _flag(asked[name]) for name in ("v", "force") if name in asked}
        return await self._engine.pass_on("DELETE", f"/{API}/containers/{found['Id']}", query)

    async def _act(self, call: Call, action: str, **allowed: str) -> Answer:
        asked = query_of(call.query, **allowed)
        found = await self._own(call)
        return await self._engine.pass_on("POST", f"/{API}/containers/{found['Id']}/{action}", asked)

    async def _own(self, call: Call) -> dict[str, Any]:
        """Return what the engine knows of a container, if it is this hub's; the call is sent with its id."""
        status, body = await self._engine.ask("GET", f"/{API}/containers/{call.what['container']}/json")
        if status == 404:
            # in the engine's own words: the hub looks for the status
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


def query_of(text: str, **allowed: str) -> dict[str, str]:
    """Return the parameters of a call: known ones, once each, of the given form."""
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


def _flag(value: str) -> str:
    return "1" if value.lower() in ("1", "true") else "0"


def message(status: int, text: str) -> web.Response:
    """Return an answer of the broker's own, in the form of the engine's."""
    # without a charset, as the engine has it: aiodocker looks for exactly this type
    body = json.dumps({"message": text}).encode()
    return web.Response(body=body, status=status, content_type="application/json")


def _call(method: str, path: str, handler: Handler) -> tuple[str, re.Pattern[str], Handler]:
    return method, re.compile(path), handler


_V = rf"/{re.escape(API)}"
_CALLS = (
    _call("GET", rf"(?:{_V})?/_ping", Calls.ping),
    _call("HEAD", rf"(?:{_V})?/_ping", Calls.ping),
    _call("GET", rf"(?:{_V})?/version", Calls.version),
    _call("GET", rf"{_V}/info", Calls.info),
    _call("GET", rf"{_V}/events", Calls.events),
    _call("GET", rf"{_V}/images/{_IMAGE}/json", Calls.image),
    _call("POST", rf"{_V}/images/create", Calls.pull),
    _call("GET", rf"{_V}/containers/json", Calls.containers),
    _call("POST", rf"{_V}/containers/create", Calls.create),
    _call("GET", rf"{_V}/containers/{_CONTAINER}/json", Calls.inspect),
    _call("GET", rf"{_V}/containers/{_CONTAINER}/logs", Calls.logs),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/start", Calls.start),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/stop", Calls.stop),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/kill", Calls.kill),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/unpause", Calls.unpause),
    _call("POST", rf"{_V}/containers/{_CONTAINER}/wait", Calls.wait),
    _call("DELETE", rf"{_V}/containers/{_CONTAINER}", Calls.remove),
)
