"""The client of one place's API server: a configuration of its own, time limits, and answers as plain JSON.

Nothing is shared with another place, and the library's global configuration is never touched. An exception carries what
the API server says of a refusal, and never a request: a request has tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar

import aiohttp
from kubernetes_asyncio.client import ApiClient, AuthorizationV1Api, CoreV1Api

from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.spawners.kubernetes.access import APIAccess

_MAX_WAIT_S = 5.0
_FIRST_WAIT_S = 0.2
#: Answers with which a request may be repeated: it was not carried out, or may be carried out twice.
_PASSING = frozenset({429, 500, 502, 503, 504})
_PAGE = 500

_log = logging.getLogger("jupyterhub.daas")

Json = dict[str, Any]


class ClusterUnreachable(SessionFailed):
    """The API server does not answer: the state of its sessions is unknown, and nothing is changed."""

    reason = "cluster"

    def __init__(self, why: str = "") -> None:
        super().__init__(
            "The cluster that runs the sessions does not answer.",
            remedy="Please try again in a few minutes; running sessions continue.",
        )
        #: For administrators.
        self.why = why
        if why:
            self.add_note(why)


class APIRefusal(Exception):
    """The API server answered, and refused.

    Attributes:
        status: the status code.
        reason: Kubernetes' own word: "AlreadyExists", "Forbidden".
        message: its sentence, for administrators.
        details: the rest of its record.
    """

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.document = dict(document)
        self.reason = str(document.get("reason") or "")
        self.message = str(document.get("message") or "")[:2000]
        super().__init__(f"{status} {self.reason}: {self.message}")


class PlaceClient:
    """The API of one namespace of one cluster."""

    _known: ClassVar[dict[tuple[APIAccess, str], PlaceClient]] = {}

    def __init__(self, access: APIAccess, namespace: str) -> None:
        self.access = access
        self.namespace = namespace
        self._library: ApiClient | None = None

    @classmethod
    def of(cls, access: APIAccess, namespace: str) -> PlaceClient:
        """Return the client of a place; each has one."""
        return cls._known.setdefault((access, namespace), cls(access, namespace))

    async def close(self) -> None:
        """Close its connections."""
        if self._library is not None:
            await self._library.close()
            self._library = None

    async def address(self) -> str:
        """Return the URL of the API server."""
        return str((await self._connected()).configuration.host)

    async def _connected(self) -> ApiClient:
        """Return the library's client of this place alone."""
        if self._library is None:
            self._library = ApiClient(await self.access.configuration())
        return self._library

    # -- one request ----------------------------------------------------------------------------------------------

    async def once(self, method: str, *names: Any, **options: Any) -> Json:
        """Call a method of `CoreV1Api` in the namespace, once.

        Raises:
            APIRefusal: the API server refused.
            ClusterUnreachable: it does not answer, or with something else than its JSON.
        """
        with _unreachable():
            async with asyncio.timeout(self.access.timeout_s):
                response = await self._send(method, names, options)
                async with response:
                    body = await response.read()
        return _document(response.status, body)

    async def call(self, method: str, *names: Any, **options: Any) -> Json:
        """Call a method, and repeat it for a while if the API server does not answer, or is too busy.

        Raises:
            APIRefusal, ClusterUnreachable: see `once`.
        """
        until = time.monotonic() + self.access.retry_s
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return await self.once(method, *names, **options)
            except (APIRefusal, ClusterUnreachable) as problem:
                if isinstance(problem, APIRefusal) and problem.status not in _PASSING:
                    raise
                if time.monotonic() + wait_s >= until:
                    raise
            await asyncio.sleep(wait_s)
            wait_s = min(_MAX_WAIT_S, 2 * wait_s)

    async def _send(self, method: str, names: tuple[Any, ...], options: Mapping[str, Any]) -> aiohttp.ClientResponse:
        api = CoreV1Api(await self._connected())
        send: Callable[..., Awaitable[aiohttp.ClientResponse]] = getattr(api, method)
        # the names of a call come before its namespace: read_namespaced_pod(name, namespace), with the body after it
        first = [one for one in names if isinstance(one, str)]
        bodies = [one for one in names if not isinstance(one, str)]
        return await send(*first, self.namespace, *bodies, _preload_content=False, **options)

    # -- what sessions need ------------------------------------------------------------------------------------------

    async def pod(self, name: str, *, repeat: bool = True) -> Json | None:
        """Return a pod; None if the API server says that there is none.

        Raises:
            APIRefusal, ClusterUnreachable: it is unknown.
        """
        try:
            return await (self.call if repeat else self.once)("read_namespaced_pod", name)
        except APIRefusal as refusal:
            if refusal.status != 404:
                raise
            return None

    async def pods(self, selector: str) -> tuple[list[Json], str]:
        """Return all pods with these labels, and the version of the list.

        Raises:
            APIRefusal, ClusterUnreachable: they are unknown.
        """
        found: list[Json] = []
        options: Json = {"label_selector": selector, "limit": _PAGE}
        while True:
            page = await self.once("list_namespaced_pod", **options)
            found += page.get("items") or []
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return found, str(metadata.get("resourceVersion") or "")
            options["_continue"] = metadata["continue"]

    async def delete_pod(self, pod: Mapping[str, Any], grace_s: float | None = None) -> None:
        """Delete exactly this pod, not another one of its name; one that is gone is no error.

        Raises:
            APIRefusal, ClusterUnreachable: it may still be there.
        """
        metadata = pod["metadata"]
        body: Json = {"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"}
        if grace_s is not None:
            body["gracePeriodSeconds"] = int(grace_s)
        try:
            await self.call("delete_namespaced_pod", metadata["name"], body=body)
        except APIRefusal as refusal:
            # 409: it has another uid, so this one is gone
            if refusal.status not in (404, 409):
                raise

    async def events(self, uid: str, *, limit: int = 50) -> list[Json]:
        """Return the events of one pod; [] if they may not be read."""
        try:
            found = await self.once("list_namespaced_event", field_selector=f"involvedObject.uid={uid}", limit=limit)
        except (APIRefusal, ClusterUnreachable):
            return []
        return list(found.get("items") or [])

    async def output(self, name: str, container: str, *, lines: int = 40) -> str:
        """Return the end of what a container printed; "" if it is not known."""
        with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError, ConfigurationError):
            async with asyncio.timeout(self.access.timeout_s):
                options = {"container": container, "tail_lines": lines, "limit_bytes": 65536}
                response = await self._send("read_namespaced_pod_log", (name,), options)
                async with response:
                    if response.status == 200:
                        return (await response.read()).decode(errors="replace")[-4000:]
        return ""

    async def may(self, verb: str, resource: str, subresource: str = "") -> bool:
        """Ask whether the hub may do this in the namespace.

        Raises:
            APIRefusal, ClusterUnreachable: it is unknown.
        """
        attributes = {"namespace": self.namespace, "verb": verb, "resource": resource, "subresource": subresource}
        reviews: Any = AuthorizationV1Api(await self._connected())
        with _unreachable():
            async with asyncio.timeout(self.access.timeout_s):
                response = await reviews.create_self_subject_access_review(
                    {"spec": {"resourceAttributes": attributes}}, _preload_content=False
                )
                async with response:
                    body = await response.read()
        return (_document(response.status, body).get("status") or {}).get("allowed") is True

    async def read(self, api: Callable[[ApiClient], Any], method: str, *names: str) -> Json:
        """Call a reading method of any part of the API, once: `read(CoreV1Api, "read_namespace", "daas")`.

        Raises:
            APIRefusal, ClusterUnreachable, ConfigurationError: it is unknown.
        """
        call: Callable[..., Awaitable[aiohttp.ClientResponse]] = getattr(api(await self._connected()), method)
        with _unreachable():
            async with asyncio.timeout(self.access.timeout_s):
                response = await call(*names, _preload_content=False)
                async with response:
                    body = await response.read()
        return _document(response.status, body)

    async def watch_pods(self, selector: str, version: str, *, window_s: int) -> AsyncIterator[Json]:
        """Yield the changes after a version of the list, until the API server ends the watch after `window_s`.

        Raises:
            APIRefusal: it refused; 410 means that the list must be read again.
            ClusterUnreachable: the connection was lost, or nothing at all came.
        """
        options = {
            "label_selector": selector,
            "resource_version": version,
            "watch": True,
            "allow_watch_bookmarks": True,
            "timeout_seconds": window_s,
            "_request_timeout": aiohttp.ClientTimeout(
                sock_connect=self.access.timeout_s, sock_read=window_s + self.access.timeout_s
            ),
        }
        with _unreachable():
            response = await self._send("list_namespaced_pod", (), options)
            async with response:
                if response.status != 200:
                    _document(response.status, await response.read())
                while line := await response.content.readline():
                    yield _document(200, line)


@contextlib.contextmanager
def _unreachable() -> Any:
    """Turn every error of a connection into `ClusterUnreachable`, without the request."""
    try:
        yield
    except (OSError, TimeoutError, aiohttp.ClientError, ValueError) as problem:
        text = str(problem) if isinstance(problem, OSError) else ""
        raise ClusterUnreachable(f"{type(problem).__name__} {text}".strip()) from None


def _document(status: int, body: bytes) -> Json:
    """Return the document of an answer.

    Raises:
        APIRefusal: it is a refusal.
        ClusterUnreachable: it is not the API's JSON: a proxy's page, or half an answer.
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if status >= 300:
        raise APIRefusal(status, document if isinstance(document, dict) else {})
    if not isinstance(document, dict):
        raise ClusterUnreachable("its answer is not JSON")
    return document
