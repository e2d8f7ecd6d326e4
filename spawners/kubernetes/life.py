"""The life of a session in a pod: whether it runs, what its card says, why it ended. Unknown is never gone."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from traitlets import Unicode, default

from daas_hub.spawners.kubernetes.address import address_and_port, plain
from daas_hub.spawners.kubernetes.client import Json
from daas_hub.spawners.kubernetes.deadlines import keep_annotation, remaining_s
from daas_hub.spawners.kubernetes.labels import SESSION_CONTAINER
from daas_hub.spawners.kubernetes.launch import is_ours, start_of
from daas_hub.spawners.kubernetes.place import PlaceMixin
from daas_hub.spawners.kubernetes.reasons import SIGKILL, Reason, ReasonKind, memory_limit_of, reason_of_pod
from daas_hub.spawners.kubernetes.startup_watch import ELSEWHERE
from daas_hub.spawners.kubernetes.watch import addresses_of, is_ending, phase_of
from daas_hub.spawners.runtime_dir import session_key
from daas_hub.spawners.session_output import failure_in, last_output, own_end_in

#: Seconds of silence after which a session's computer counts as one that does not answer: two reports, so that its card
#: says so within 30 s of the last one, also with five seconds between two polls.
SILENT_S = 22.0
#: Seconds that a first poll waits for the first list, so that a hub whose cluster answers knows at once.
FIRST_LIST_S = 3.0


class PodLifeMixin(PlaceMixin):
    """A session that is a pod, as the hub sees it while it lives."""

    pod_name = Unicode(help="Name of the session's pod; never from its state.")

    _owns_pod = True

    #: Hash of the token with which the session reports at the gateway (see `gateway.key_of`).
    gateway_key = ""

    @default("pod_name")
    def _pod_name_default(self) -> str:
        return self.name_on_backend(self.user.name, self.name)

    def name_on_backend(self, user: str, server: str) -> str:
        """Return the name of a session's pod."""
        return f"daas-{session_key(f'{self.hub_id}/{self.place_label}/{user}', server)}"

    @property
    def hub_api_url(self) -> str:
        """The hub's REST API behind the session gateway."""
        return f"http://{self.gateway_address}{self.hub.base_url}api"

    def address_of(self, pod: Json) -> str:
        """Return the URL at which the proxy and the hub connect to the session."""
        return self.url_at(str((pod.get("status") or {}).get("podIP") or ""))

    def url_at(self, address: str) -> str:
        """Return the same for a pod with this address."""
        return f"http://{address_and_port(address, self.pod_settings.port)}"

    def remaining_s(self) -> float:
        """Return how many seconds the session may still last."""
        return remaining_s(self.ends)

    # -- its state ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Add what the gateway knows the session by."""
        state = super().get_state()
        if self.gateway_key:
            state["gateway"] = self.gateway_key
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned; place and namespace are the configuration's."""
        super().load_state(state)
        self.gateway_key = str(state.get("gateway", ""))

    def clear_state(self) -> None:
        """Forget the session."""
        super().clear_state()
        self.gateway_key = ""

    # -- whether it runs ------------------------------------------------------------------------------------------

    async def own_pod(self) -> Json | None:
        """Ask the cluster for this session's pod; None if it says that there is none of this start.

        Raises:
            APIRefusal, ClusterUnreachable: it is unknown.
        """
        found = await self.client.pod(self.pod_name, repeat=False)
        if found is None or not is_ours(found, self.hub_id, self.place_label):
            return None
        return found if start_of(found) == self.start_id else None

    async def poll(self) -> int | None:
        """Return whether the session runs: None, or its exit code; stops one that reached its time limit.

        What is not known runs: before the first complete list, and while the API server does not answer.
        """
        if not self._owns_pod:
            return 0
        if self.was_interrupted and not self._start_pending:
            self.note_interruption()
            return 0
        if not self.watch.is_complete and not await self.watch.wait_complete(FIRST_LIST_S):
            self._keep_gateway_open()
            self._note(None)
            return None
        pod = await self._pod_now()
        if pod is None:
            return self._removed()
        if phase_of(pod) in ("Succeeded", "Failed"):
            return await self._ended(pod)
        return await self._living(pod)

    async def _pod_now(self) -> Json | None:
        """Return this session's pod as last seen; one that is not there is asked for."""
        pod = self.watch.pods.get(self.pod_name)
        if pod is not None and start_of(pod) == self.start_id:
            return pod
        # a list may be older than a start
        return await self.own_pod()

    def _removed(self) -> int | None:
        """Return what it means that the cluster says that there is no such pod."""
        if self._start_pending:
            return None
        if not self.failure:
            self.ending = self.ending or self._why_removed()
        return 0

    def _why_removed(self) -> str:
        """Return why the cluster deleted the pod, as its last state has it: a drained node, or a higher priority."""
        last = self.watch.last_state(self.pod_name)
        if last is not None and start_of(last) == self.start_id:
            reason = reason_of_pod(last)
            if reason is not None and reason.kind is not ReasonKind.ENDED:
                self.log.info("%s: %s", self._log_name, reason.raw)
                return f"{reason.sentence} {reason.remedy}".strip()
        return "It was removed from outside this portal."

    async def _living(self, pod: Json) -> int | None:
        """Care for a session that runs; stop one that reached its time limit."""
        self._keep_gateway_open()
        if self._is_elsewhere(pod):
            self.log.info("%s: %s", self._log_name, ELSEWHERE)
            self.ending = ELSEWHERE
            await self.stop()
            return 0
        self._note(pod)
        await keep_annotation(self.client, pod, self.ends)
        if not self.is_over():
            return None
        self.note_end()
        await self.stop()
        return 0

    def _is_elsewhere(self, pod: Json) -> bool:
        """Return whether the cluster reports another address than the one that the session arrived from."""
        address = "" if self._start_pending or self.server is None else plain(self.server.ip)
        reported = addresses_of(pod)
        return bool(address and reported) and address not in reported

    def _keep_gateway_open(self) -> None:
        """Let the session in at the gateway again after a restart of the hub.

        Also before the first list, at the address that the hub's database has: without the hub, its page does not open.
        """
        try:
            if self.server is not None:
                self.watch.expect(self.pod_name, self.server.ip)
            if self.gateway_key and self.gateway.get(self.pod_name) is None and not self._start_pending:
                self.open_gateway()
        except OSError as problem:
            self.log.error("the session gateway cannot be opened at %s: %s", self.gateway_bind, problem)

    @abstractmethod
    def open_gateway(self, arrival: Any = None) -> None:
        """Let this session's pod in at the gateway."""

    # -- what its card says ---------------------------------------------------------------------------------------

    def _note(self, pod: Json | None) -> None:
        """Say on its card what is not as it should be."""
        self.notice = self._unknown_notice() or (self._own_notice(pod) if pod is not None else "")

    def _unknown_notice(self) -> str:
        contact = self.watch.contact
        since = self.time_of_day(contact.at) if self.watch.is_complete else "the portal was started"
        if right := contact.missing_right:
            why = f"The portal lacks the right to {right} in the cluster that runs it"
        elif contact.is_old or not self.watch.is_complete:
            why = "The cluster that runs it does not answer"
        else:
            return ""
        return f"{why}; what it does is not known since {since}."

    def _own_notice(self, pod: Json) -> str:
        session = self.gateway.get(self.pod_name)
        if session is not None and session.silent_s > SILENT_S:
            return f"Its computer does not answer since {self.time_of_day(session.heard_at)}. It may still run."
        if is_ending(pod):
            return "It is being ended by the cluster."
        return self.memory_notice(session.memory_kill_at) if session is not None else ""

    # -- how it ended ---------------------------------------------------------------------------------------------

    async def _ended(self, pod: Json) -> int:
        """Find out how the session ended, for its owner and for the log."""
        output = await self.note_output(pod)
        code = _exit_code(pod)
        self.ending = self.own_end_words(own_end_in(output)) or self.ending or failure_in(output)
        reason = reason_of_pod(pod) if not self.ending else None
        if reason is not None:
            self._note_reason(reason, pod, code)
        elif not self.ending:
            self.ending = "It ended by itself." if code == 0 else f"It ended with an error (code {code})."
        self.log.info("%s ended with %s: %s", self._log_name, code, self.ending)
        return code

    def _note_reason(self, reason: Reason, pod: Json, code: int) -> None:
        """Keep why the cluster says that it ended."""
        self.log.info("%s: %s", self._log_name, reason.raw)
        memory = memory_limit_of(pod, SESSION_CONTAINER)
        if reason.kind is ReasonKind.MEMORY:
            self.note_memory_end(memory, reason.at)
            return
        self.ending = f"{reason.sentence} {reason.remedy}".strip()
        if reason.kind is ReasonKind.ENDED and code == SIGKILL:
            # probably: the cluster does not say who killed it
            self.memory_used_up = memory

    async def note_output(self, pod: Json) -> str:
        """Write the end of what the session printed to the log, and return it."""
        output = await self.client.output(pod["metadata"]["name"], SESSION_CONTAINER)
        if output:
            self.log.info("%s: its last output: %s", self._log_name, last_output(output))
        return output


def _exit_code(pod: Json) -> int:
    """Return the exit code of a pod's session; 1 for a failed pod without one."""
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (one.get("state") or {}).get("terminated")
        if one.get("name") == SESSION_CONTAINER and ended:
            return int(ended.get("exitCode") or 0)
    return 1 if phase_of(pod) == "Failed" else 0
