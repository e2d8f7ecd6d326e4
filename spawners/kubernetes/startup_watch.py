"""What becomes of a pod that starts: why it waits, as steps, and why it cannot start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import Logger

from daas_hub.errors import SessionFailed
from daas_hub.spawners.kubernetes.client import Json, PlaceClient
from daas_hub.spawners.kubernetes.reasons import Reason, reason_of_event, reason_of_pod
from daas_hub.spawners.kubernetes.watch import PodWatch, addresses_of, is_ending, phase_of

#: Seconds until the first look at the events of a pod that waits; most are ready before that. The waits after it grow.
FIRST_EVENTS_S, MAX_EVENTS_S = 2.0, 10.0
ELSEWHERE = (
    "The cluster reports another address for this session than the one that it reached the portal from, so it was"
    " ended. Please tell the administrators."
)
_GONE = "The session was removed from outside this portal while it started. Please launch again."


class StartupWatch:
    """Follows one pod until it is ready, or cannot be.

    Attributes:
        over: done when it cannot start any more, with the sentence that says why, or "".
        begun: done when a node has it, with its volumes and its image, and runs its first container: as the cluster
            reports it, or as its first program shows by itself.
    """

    def __init__(
        self,
        client: PlaceClient,
        watch: PodWatch,
        pod: Json,
        report: Callable[[str], None],
        log: Logger,
        *,
        with_events: bool = True,
    ) -> None:
        self._client, self._watch, self._report, self._log = client, watch, report, log
        self._name, self._uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[str] = loop.create_future()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.pod = pod
        self._address = ""
        self._waits_for = ""
        self._said: set[str] = set()
        self._forget = watch.listen(self._name, self._changed)
        self._events = loop.create_task(self._follow_events()) if with_events else None
        if (now := watch.pods.get(self._name)) is not None:
            self._changed(now)

    def close(self) -> None:
        """Follow it no more."""
        self._forget()
        if self._events is not None:
            self._events.cancel()
        self.over.cancel()
        self.begun.cancel()

    async def wait_begun(self, timeout_s: float) -> None:
        """Wait until its first container runs, or it cannot start any more.

        Raises:
            SessionFailed: it still waits; with what for.
        """
        await asyncio.wait((self.begun, self.over), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self.begun.done() or self.over.done():
            return
        why = self._waits_for or "The cluster has not started your session."
        if self._watch.contact.is_old:
            why = "The cluster that is to run your session does not answer."
        limit = f"It waited for {round(timeout_s / 60)} minutes" if timeout_s >= 120 else f"It waited {timeout_s:g} s"
        raise SessionFailed(f"{why} {limit}, which is the limit.", remedy="Please launch again later.")

    def note_contact(self, address: str) -> None:
        """Note that the session's first program was heard of.

        Args:
            address: what its pod's address must be once the cluster reports it; "" if the cluster has.
        """
        self._address = address
        if not self.begun.done():
            self.begun.set_result(None)
        self._compare_address()

    def _compare_address(self) -> None:
        """End a start whose session arrived from an address that is not its pod's."""
        reported = addresses_of(self.pod)
        if self._address and reported and self._address not in reported:
            self._log.error("pod %s arrived from %s and has %s", self._name, self._address, ", ".join(reported))
            self._end(ELSEWHERE)

    def _changed(self, pod: Json | None) -> None:
        """Take a new state of the pod; one of an earlier start is not meant."""
        if pod is None or pod["metadata"]["uid"] != self._uid:
            if pod is None:
                self._end(_GONE)
            return
        self.pod = pod
        self._compare_address()
        if (reason := reason_of_pod(pod)) is not None:
            self._take(reason)
        if not self.begun.done() and has_begun(pod):
            self.begun.set_result(None)
        if phase_of(pod) in ("Succeeded", "Failed"):
            self._end("")
        elif is_ending(pod):
            self._end(_GONE)

    async def _follow_events(self) -> None:
        """Look at the events of the pod while it waits: some causes are nowhere else."""
        wait_s = FIRST_EVENTS_S
        await asyncio.sleep(wait_s)
        while phase_of(self.pod) == "Pending":
            for event in await self._client.events(self._uid):
                if (reason := reason_of_event(event)) is not None:
                    self._take(reason)
            wait_s = min(MAX_EVENTS_S, 1.5 * wait_s)
            await asyncio.sleep(wait_s)

    def _take(self, reason: Reason) -> None:
        if reason.raw not in self._said:
            self._said.add(reason.raw)
            self._log.info("pod %s: %s", self._name, reason.raw)
        if reason.is_final:
            self._end(f"{reason.sentence} {reason.remedy}".strip())
            return
        # without what it promises
        self._waits_for = f"{reason.sentence.partition(';')[0].rstrip('.')}."
        if reason.sentence not in self._said:
            self._said.add(reason.sentence)
            self._report(reason.sentence)

    def _end(self, sentence: str) -> None:
        if not self.over.done():
            self.over.set_result(sentence)


def has_begun(pod: Json) -> bool:
    """Return whether a container of a pod runs, or has run: it has its node, its volumes and its image."""
    status = pod.get("status") or {}
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    states = [one.get("state") or {} for one in containers]
    return phase_of(pod) == "Running" or any(one.get("running") or one.get("terminated") for one in states)


def may_be_at(watch: PodWatch, name: str, uid: str, address: str) -> bool:
    """Return whether this very pod may have an address that the API server has not reported yet.

    Its node must be known, so that the node's own address is not taken for the pod's where something on the way
    rewrites addresses.
    """
    pod = watch.pods.get(name)
    if pod is None or pod["metadata"]["uid"] != uid or phase_of(pod) not in ("Pending", "Running"):
        return False
    status = pod.get("status") or {}
    if not status.get("hostIP") or status.get("podIPs") or (pod.get("spec") or {}).get("hostNetwork"):
        return False
    return address not in {(one.get("status") or {}).get("hostIP") for one in watch.pods.values()}
