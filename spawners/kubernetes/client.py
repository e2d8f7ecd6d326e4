"""The client of one place's API server: a configuration of its own, time limits, and answers as plain JSON.

Nothing is shared with another place, and the library's global configuration is never touched. An exception carries what
the API server says of a refusal, and never a request: a request has tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar

import aiohttp
from kubernetes_asyncio.client import ApiClient, AuthorizationV1Api, CoreV1Api

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.answers import (
    ROLES_S,
    APIRefusal,
    ClusterUnreachable,
    Json,
    document_of,
    pause_after,
    unreachable,
)
from daas_hub.spawners.kubernetes.connection import Connection

__all__ = ["ROLES_S", "APIRefusal", "ClusterUnreachable", "Json", "PlaceClient", "pause_after"]

_MAX_WAIT_S = 5.0
_FIRST_WAIT_S = 0.2
#: Answers with which a request may be repeated: it was not carried out, or may be carried out twice.
_PASSING = frozenset({429, 500, 502, 503, 504})
_PAGE = 500
#: Questions for events at a time: for each of them the API server reads all events of the namespace.
MAX_EVENT_LISTS = 4
#: What an answer must be: something on the way may answer 200 with a page or a document of its own.
_KINDS = {
    "create_namespaced_pod": "Pod",
    "read_namespaced_pod": "Pod",
    "patch_namespaced_pod": "Pod",
    "list_namespaced_pod": "PodList",
    "create_namespaced_secret": "Secret",
}

_log = logging.getLogger("jupyterhub.daas")


class PlaceClient:
    """The API of one namespace of one cluster."""

    _known: ClassVar[dict[tuple[APIAccess, str], PlaceClient]] = {}

    def __init__(self, access: APIAccess, namespace: str) -> None:
        self.access = access
        self.namespace = namespace
        self._connection = Connection(access)
        self._event_lists = asyncio.Semaphore(MAX_EVENT_LISTS)

    @classmethod
    def of(cls, access: APIAccess, namespace: str) -> PlaceClient:
        """Return the client of a place; each has one."""
        return cls._known.setdefault((access, namespace), cls(access, namespace))

    async def close(self) -> None:
        """Close its connections."""
        await self._connection.close()

    async def address(self) -> str:
        """Return the URL of the API server."""
        return str((await self._connection.library()).configuration.host)

    # -- one request ----------------------------------------------------------------------------------------------

    async def once(self, method: str, *names: Any, **options: Any) -> Json:
        """Call a method of `CoreV1Api` in the namespace, once; again only with a login that was renewed.

        Raises:
            APIRefusal: the API server refused.
            ClusterUnreachable: it does not answer, or with something else than its JSON.
        """
        try:
            return await self._once(method, names, options)
        except (APIRefusal, ClusterUnreachable) as problem:
            if not await self._connection.renew(problem):
                raise
        return await self._once(method, names, options)

    async def _once(self, method: str, names: tuple[Any, ...], options: Mapping[str, Any]) -> Json:
        with unreachable():
            async with asyncio.timeout(self.access.timeout_s):
                response = await self._send(method, names, options)
                async with response:
                    body = await response.read()
        document = document_of(response, body)
        if document.get("kind") != _KINDS.get(method, document.get("kind")):
            raise ClusterUnreachable(f"its answer is no {_KINDS[method]}")
        return document

    async def call(self, method: str, *names: Any, **options: Any) -> Json:
        """Call a method, and repeat it for a while if the API server does not answer, or is too busy.

        Raises:
            APIRefusal, ClusterUnreachable: see `once`.
        """
        began, wait_s = time.monotonic(), _FIRST_WAIT_S
        while True:
            try:
                return await self.once(method, *names, **options)
            except (APIRefusal, ClusterUnreachable) as problem:
                lasts_s = self.access.retry_s
                if isinstance(problem, APIRefusal) and problem.status not in _PASSING:
                    if not problem.is_about_rights:
                        raise
                    lasts_s = min(lasts_s, ROLES_S)
                pause_s = pause_after(problem, wait_s)
                if time.monotonic() + pause_s >= began + lasts_s:
                    raise
            await asyncio.sleep(pause_s)
            wait_s = min(_MAX_WAIT_S, 2 * wait_s)

    async def _send(self, method: str, names: tuple[Any, ...], options: Mapping[str, Any]) -> aiohttp.ClientResponse:
        api = CoreV1Api(await self._connection.library())
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
            if not refusal.says_absent("pods", name):
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
            metadata = page.get("metadata") or {}
            if "items" not in page or not metadata.get("resourceVersion"):
                raise ClusterUnreachable("its list is not complete")
            found += page["items"] or []
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
        """Return the events of one pod, without the scheduler's; [] if they may not be read.

        What the scheduler says is in the pod's status, too. Its events are the oldest ones, and in a cluster that
        changes there are so many that none of the others would be among the first.
        """
        chosen = f"involvedObject.uid={uid},reason!=FailedScheduling"
        try:
            async with self._event_lists:
                found = await self.once("list_namespaced_event", field_selector=chosen, limit=limit)
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
        reviews: Any = AuthorizationV1Api(await self._connection.library())
        with unreachable():
            async with asyncio.timeout(self.access.timeout_s):
                response = await reviews.create_self_subject_access_review(
                    {"spec": {"resourceAttributes": attributes}}, _preload_content=False
                )
                async with response:
                    body = await response.read()
        return (document_of(response, body).get("status") or {}).get("allowed") is True

    async def read(self, api: Callable[[ApiClient], Any], method: str, *names: str) -> Json:
        """Call a reading method of any part of the API, once: `read(CoreV1Api, "read_namespace", "daas")`.

        Raises:
            APIRefusal, ClusterUnreachable, ConfigurationError: it is unknown.
        """
        call: Callable[..., Awaitable[aiohttp.ClientResponse]] = getattr(api(await self._connection.library()), method)
        with unreachable():
            async with asyncio.timeout(self.access.timeout_s):
                response = await call(*names, _preload_content=False)
                async with response:
                    body = await response.read()
        return document_of(response, body)

    async def watch_pods(
        self, selector: str, version: str, *, window_s: int, opened: Callable[[], None]
    ) -> AsyncIterator[Json]:
        """Yield the changes after a version of the list, until the API server ends the watch after `window_s`.

        Args:
            opened: called when the API server lets the hub watch.

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
        with unreachable():
            response = await self._send("list_namespaced_pod", (), options)
            async with response:
                if response.status != 200:
                    document_of(response, await response.read())
                    raise ClusterUnreachable(f"its answer has the status {response.status}")
                opened()
                # not `readline`, which refuses long ones: a pod's annotations alone may have 256 KiB
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield document_of(response, line)
                if rest:
                    raise ClusterUnreachable("its answer ended in the middle of a change")
