"""What runs in one place: a complete list of this hub's pods first, then every change; it never ends.

Unknown is not gone: before the first complete list nothing is concluded, and while the API server is away everything
stays as it was last seen, with the time since when that is.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from typing import ClassVar

from daas_hub.errors import ConfigurationError
from daas_hub.metrics.clusters import publish_age
from daas_hub.spawners.kubernetes.client import APIRefusal, ClusterUnreachable, Json, PlaceClient, pause_after
from daas_hub.spawners.kubernetes.contact import OLD_S, Contact
from daas_hub.spawners.kubernetes.labels import HUB_LABEL, PLACE_LABEL

#: Seconds after which the API server ends a watch, so that a quiet one is heard of.
WINDOW_S = 15
#: Seconds after which all pods are listed again, so that a change that was lost on the way is found.
LIST_AGAIN_S = 300.0
FIRST_WAIT_S = 0.2
MAX_WAIT_S = 5.0
#: Pods that are gone, of which the last state is kept.
MAX_GONE = 500
#: The list must be read again.
_GONE = 410
#: Requests at once for pods that a list lacks.
_AT_ONCE = 10

_log = logging.getLogger("jupyterhub.daas")


class PodWatch:
    """The pods of one place.

    Attributes:
        pods: the pods as last seen, by name.
        is_complete: whether a complete list was ever read; before that, `pods` says nothing.
        contact: when the API server was last heard of, and what is in the way.
    """

    _known: ClassVar[dict[tuple[PlaceClient, str], PodWatch]] = {}

    def __init__(
        self, client: PlaceClient, selector: str, *, window_s: int = WINDOW_S, list_again_s: float = LIST_AGAIN_S
    ) -> None:
        self._client = client
        self._selector = selector
        self._window_s = window_s
        self._list_again_s = list_again_s
        self._listed = 0.0
        self.pods: dict[str, Json] = {}
        self.is_complete = False
        self.contact = Contact(client.namespace)
        self._last: dict[str, Json] = {}
        self._addresses: dict[str, str] = {}
        self._listeners: dict[str, list[Callable[[Json | None], None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._read = asyncio.Event()

    @classmethod
    def of(cls, client: PlaceClient, selector: str, place: str) -> PodWatch:
        """Return the watch of a place, running; each has one, whose age is published."""
        if (watch := cls._known.get((client, selector))) is None:
            watch = cls._known[client, selector] = cls(client, selector)
            publish_age(place, watch)
        watch.start()
        return watch

    def start(self) -> None:
        """Watch from now on, if it does not yet."""
        if self._task is None or self._task.done():
            # shared by all launches: its log lines are of none of them
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="pods of a place", context=contextvars.Context()
            )

    async def stop(self) -> None:
        """End it, as tests do."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    # -- what is known --------------------------------------------------------------------------------------------

    @property
    def age_s(self) -> float:
        """Seconds since the API server was last heard of."""
        return self.contact.age_s

    def last_state(self, name: str) -> Json | None:
        """Return the last state of a pod that was deleted lately."""
        return self._last.get(name)

    async def wait_complete(self, timeout_s: float) -> bool:
        """Wait until a complete list was read; return whether it was."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._read.wait()
        except TimeoutError:
            return False
        return True

    def pod_at(self, address: str) -> Json | None:
        """Return the running pod that has this address."""
        return self.pods.get(self._addresses.get(address, ""))

    def name_at(self, address: str) -> str:
        """Return the name of the pod that has this address; "" for none."""
        return self._addresses.get(address, "")

    def expect(self, name: str, address: str) -> None:
        """Take this for the address of a pod, until the first complete list says what is so."""
        if address and not self.is_complete:
            self._addresses[address] = name

    def listen(self, name: str, changed: Callable[[Json | None], None]) -> Callable[[], None]:
        """Call `changed` with each new state of a pod, None when it is gone; return what ends that."""
        self._listeners.setdefault(name, []).append(changed)

        def forget() -> None:
            listeners = self._listeners.get(name, [])
            if changed in listeners:
                listeners.remove(changed)
            if not listeners:
                self._listeners.pop(name, None)

        return forget

    # -- watching -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        version, wait_s = "", FIRST_WAIT_S
        while True:
            pause_s = wait_s
            try:
                if not version or time.monotonic() - self._listed > self._list_again_s:
                    version = await self._list()
                version = await self._follow(version)
                wait_s = FIRST_WAIT_S
                continue
            except APIRefusal as refusal:
                pause_s = pause_after(refusal, wait_s)
                if refusal.status == _GONE and version:
                    version = ""
                    continue
                # also an old version that a restarted API server does not know yet
                version = ""
                self.contact.note_problem(refusal)
            except (ClusterUnreachable, ConfigurationError) as problem:
                self.contact.note_problem(problem)
            except Exception:
                # whatever it is: the watch must not end
                _log.exception("pods of %s cannot be watched", self._client.namespace)
                version = ""
            await asyncio.sleep(min(OLD_S / 2, pause_s))
            wait_s = min(MAX_WAIT_S, 2 * wait_s)

    async def _list(self) -> str:
        """Read all pods; return the version of the list."""
        pods, version = await self._client.pods(self._selector)
        now = {str(pod["metadata"]["name"]): pod for pod in pods}
        now |= await self._still_there([name for name in self.pods if name not in now])
        self.contact.note_answer()
        self._listed = time.monotonic()
        gone = [name for name in self.pods if name not in now]
        changed = [name for name, pod in now.items() if self.pods.get(name) != pod]
        self.pods = now
        self._addresses = {address: name for name, pod in now.items() for address in addresses_of(pod)}
        self.is_complete = True
        self._read.set()
        for name in gone:
            self._report(name, None)
        for name in changed:
            self._report(name, now[name])
        return version

    async def _still_there(self, names: list[str]) -> dict[str, Json]:
        """Return those that a list lacked, and that the API server has all the same: one wrong list ends no session.

        Raises:
            APIRefusal, ClusterUnreachable: it is unknown, and so the list is not taken.
        """
        found: dict[str, Json] = {}
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            pods = await asyncio.gather(*(self._client.pod(name, repeat=False) for name in some))
            # one without our labels is nobody's any more
            found |= {
                name: pod
                for name, pod in zip(some, pods, strict=True)
                if pod is not None and _owner(pod) == _owner(self.pods[name])
            }
        if found:
            _log.error("a list of the pods of %s lacked %d that are there", self._client.namespace, len(found))
        return found

    async def _follow(self, version: str) -> str:
        """Follow the changes until the API server ends the watch; return the version to continue from."""
        newest = {name: str(pod["metadata"].get("resourceVersion") or "") for name, pod in self.pods.items()}
        opened = self.contact.note_watched
        async for change in self._client.watch_pods(self._selector, version, window_s=self._window_s, opened=opened):
            kind, record = str(change.get("type")), change.get("object") or {}
            if kind == "ERROR":
                raise APIRefusal(int(record.get("code") or 500), record)
            self.contact.note_answer()
            metadata = record.get("metadata") or {}
            now = str(metadata.get("resourceVersion") or version)
            version = version if _is_older(now, version) else now
            if kind == "BOOKMARK":
                continue
            name = str(metadata["name"])
            # out of order, on a way that is not the API server's: an old state must not bring back a pod that is gone
            if _is_older(now, newest.get(name, "")):
                continue
            newest[name] = now
            pod = None if kind == "DELETED" else record
            if pod is None:
                self._keep_last(name, record)
            self._take(name, pod)
            self._report(name, pod)
        # an ended watch was answered, too
        self.contact.note_answer()
        return version

    def _take(self, name: str, now: Json | None) -> None:
        """Keep the new state of one pod, None for a pod that is gone, and find it by its addresses."""
        for address in addresses_of(self.pods.pop(name, None)):
            # by now it may be another pod's
            if self._addresses.get(address) == name:
                del self._addresses[address]
        if now is not None:
            self.pods[name] = now
            self._addresses |= dict.fromkeys(addresses_of(now), name)

    def _keep_last(self, name: str, pod: Json) -> None:
        """Keep the last state of a pod that is gone: nothing else says why it was deleted."""
        self._last.pop(name, None)
        self._last[name] = pod
        while len(self._last) > MAX_GONE:
            del self._last[next(iter(self._last))]

    def _report(self, name: str, pod: Json | None) -> None:
        for changed in tuple(self._listeners.get(name, ())):
            try:
                changed(pod)
            except Exception:
                _log.exception("a change of pod %s was not handled", name)


def _owner(pod: Json) -> tuple[str, ...]:
    """Return whose pod it is, by its labels."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get(HUB_LABEL, ""), labels.get(PLACE_LABEL, "")


def _is_older(version: str, than: str) -> bool:
    """Return whether a version of an object is older than another one; False for versions that are no numbers."""
    return all(one.isascii() and one.isdigit() for one in (version, than)) and int(version) < int(than)


def phase_of(pod: Json) -> str:
    """Return the phase of a pod; "Pending" for one that nobody has looked at yet."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_ending(pod: Json) -> bool:
    """Return whether somebody deleted a pod, and it is still there."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def addresses_of(pod: Json | None) -> list[str]:
    """Return the addresses of a pod that are its own; that of an ended one may be another's by now."""
    if pod is None or phase_of(pod) not in ("Pending", "Running") or (pod.get("spec") or {}).get("hostNetwork"):
        return []
    return [str(one.get("ip")) for one in (pod.get("status") or {}).get("podIPs") or ()]
