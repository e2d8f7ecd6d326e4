"""The end of a session in a pod: asked for, confirmed by the cluster, cleaned up; what runs, known or not."""

from __future__ import annotations

from typing import Any

from jupyterhub.utils import maybe_future

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.errors import SessionFailed
from daas_hub.spawners.kubernetes.client import APIRefusal, ClusterUnreachable, Json
from daas_hub.spawners.kubernetes.instance import REMEDY, is_of_another, words_of_others
from daas_hub.spawners.kubernetes.launch import has_gate, refused, wait_gone
from daas_hub.spawners.kubernetes.life import FIRST_LIST_S, PodLifeMixin
from daas_hub.spawners.kubernetes.quota import limits_of_quotas
from daas_hub.spawners.kubernetes.watch import is_ending
from daas_hub.spawners.session_records import RunningSession


class PodEndMixin(PodLifeMixin):
    """A session that is a pod, and how it is ended."""

    _logged_others = ""

    @property
    def stop_kept(self) -> str:
        """Why a stop takes long, worded for the owner."""
        if right := self.watch.contact.missing_right_to_end:
            return f"the portal lacks the right to {right} in the cluster. It keeps trying."
        return "the cluster has not confirmed its end yet. The portal keeps trying."

    async def stop(self, now: bool = False) -> None:
        """End the session, and wait until the cluster confirms it, but not for ever.

        Raises:
            SessionFailed: its end is not confirmed yet; the reconciler asks again.
        """
        if not self._owns_pod:
            return
        await self.keep_stop()
        try:
            found = await self.own_pod()
            if found is None:
                return
            await self._delete(found, 0 if now else None)
        except APIRefusal as refusal:
            raise _not_confirmed(str(refusal)) from refusal
        grace_s = 0 if now else float(found["spec"].get("terminationGracePeriodSeconds") or 0)
        if not await wait_gone(self.client, self.watch, found, grace_s + self.stop_timeout_s):
            raise _not_confirmed()

    async def run_post_stop_hook(self) -> None:
        """Remove what the session had; then run the administrator's hook."""
        if self._owns_pod:
            await self._clean_up()
        await maybe_future(super().run_post_stop_hook())

    async def _clean_up(self) -> None:
        """Delete the pod of this start, also one that ended, and forget its record once it is gone."""
        self.gateway.remove(self.pod_name)
        try:
            found = await self.own_pod()
            if found is not None:
                if not is_ending(found):
                    await self._delete(found)
                grace_s = float(found["spec"].get("terminationGracePeriodSeconds") or 0)
                is_gone = await wait_gone(self.client, self.watch, found, min(5.0, grace_s + self.stop_timeout_s))
            else:
                is_gone = True
        except (APIRefusal, ClusterUnreachable) as problem:
            is_gone = False
            self.log.error("%s: pod %s was not removed: %s", self._log_name, self.pod_name, problem)
        # what an interrupted start left has another start's id: the reconciler finds it by this record
        if is_gone and not self.was_interrupted:
            await self.records.remove(self.key)

    async def _delete(self, pod: Json, grace_s: float | None = None) -> None:
        """Delete this very pod; note a right that is missing, which every stop of the place lacks.

        Raises:
            APIRefusal, ClusterUnreachable: it may still be there.
        """
        contact = self.watch.contact
        try:
            await self.client.delete_pod(pod, grace_s)
        except APIRefusal as refusal:
            contact.missing_right_to_end = refusal.missing_right
            raise
        contact.missing_right_to_end = ""

    # -- what runs, whatever the hub knows ------------------------------------------------------------------------

    async def backend_capacity(self) -> BackendCapacity:
        """Return what the quotas of the namespace leave for this hub's sessions.

        Raises:
            ClusterUnreachable: the API server does not answer, or the hub may not list quotas.
        """
        watch = self.watch
        watch.start()
        if not await watch.wait_complete(FIRST_LIST_S) or watch.contact.is_old:
            raise ClusterUnreachable("the pods of the place are not known")
        try:
            quotas = (await self.client.once("list_namespaced_resource_quota"))["items"] or []
        except APIRefusal as refusal:
            raise ClusterUnreachable(str(refusal)) from refusal
        names = ", ".join(sorted(str(one["metadata"]["name"]) for one in quotas))
        where = f"the namespace {self.client.namespace}"
        return BackendCapacity(
            limits_of_quotas(quotas, watch.pods.values(), self.pod_settings.priority_class),
            f"the quota {names} of {where}" if names else f"{where}, which has no quota",
        )

    async def list_running(self) -> list[RunningSession]:
        """Return the pods of this hub and place, also ended ones (see `RunningSession`).

        Not those that another hub with the same id made: they are reported, and left alone.

        They are read from the watch: a list of a thousand pods is ten megabytes, and the hub does nothing else while it
        reads them. What is too old to rely on is asked for.

        Raises:
            SessionFailed: they are unknown.
        """
        # it begins with the hub, so that its age is known before the first session
        watch = self.watch
        watch.start()
        if await watch.wait_complete(FIRST_LIST_S) and not (watch.contact.is_old or watch.contact.problem):
            pods = list(watch.pods.values())
        else:
            try:
                pods, _ = await self.client.pods(self.selector)
            except APIRefusal as refusal:
                raise refused(refusal) from refusal
        others = [pod for pod in pods if is_of_another(pod, self.instance)]
        self._report_others(others)
        return [
            RunningSession(pod["metadata"]["name"], (_handle(pod),), is_unfinished=has_gate(pod))
            for pod in pods
            if not is_of_another(pod, self.instance)
        ]

    def _report_others(self, pods: list[Json]) -> None:
        """Log which pods another hub made, when that changes."""
        words = words_of_others(pods) if pods else ""
        if words and words != self._logged_others:
            self.log.error("%s. %s", words, REMEDY)
        self._logged_others = words

    async def end_running(self, one: RunningSession) -> None:
        """Delete its pod.

        Raises:
            SessionFailed, APIRefusal: it may still be there.
        """
        for handle in one.handles:
            await self._delete(handle)
            if not await wait_gone(self.client, self.watch, handle, self.grace_period_s + self.stop_timeout_s):
                raise _not_confirmed()


def _not_confirmed(why: str = "") -> SessionFailed:
    return SessionFailed(
        "The end of the session is not confirmed yet.",
        remedy="The portal keeps trying; nothing is to be done.",
        detail=why,
    )


def _handle(pod: Json) -> Any:
    metadata = pod["metadata"]
    return {"metadata": {"name": metadata["name"], "uid": metadata["uid"]}}
