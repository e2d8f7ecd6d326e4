"""ProposalKubeSpawner: a session is a pod of a Kubernetes cluster, under the account's own numbers, behind a wall.

What is asked for is in `pod.py`, how it comes into being in `launch.py`, what is known of it in `watch.py`, how it
reaches the hub in `gateway.py`. KubeSpawner gives its settings (`stock_class.py`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jupyterhub.app import JupyterHub
from traitlets import default
from traitlets.config import Config

from daas_hub.catalogue import Application
from daas_hub.errors import DaasError, SessionFailed
from daas_hub.facility import Facility
from daas_hub.findings import Finding, Verdict
from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import mount_points, places
from daas_hub.spawners.home_access import require_usable_home
from daas_hub.spawners.hub_api_socket import session_routes
from daas_hub.spawners.kubernetes.arrival import Arrival
from daas_hub.spawners.kubernetes.checks import examine, gpu_problems, images_problems, place_problems, storage_findings
from daas_hub.spawners.kubernetes.client import APIRefusal
from daas_hub.spawners.kubernetes.cluster_checks import examine_cluster
from daas_hub.spawners.kubernetes.endings import PodEndMixin
from daas_hub.spawners.kubernetes.gateway_session import GatewaySession, key_of
from daas_hub.spawners.kubernetes.hooks import after_created, modified
from daas_hub.spawners.kubernetes.instance import is_of_another
from daas_hub.spawners.kubernetes.launch import (
    create_pod,
    create_secret,
    is_ours,
    open_gate,
    refused,
    require_asked,
    wait_gone,
)
from daas_hub.spawners.kubernetes.pod import disk_limits, pod_for
from daas_hub.spawners.kubernetes.pod_settings import PodIdentity
from daas_hub.spawners.kubernetes.session_files import generated_files, icon_path, secret_environment
from daas_hub.spawners.kubernetes.settings_checks import (
    addresses_problems,
    pods_problems,
    require_storage,
    storage_problems,
)
from daas_hub.spawners.kubernetes.startup_watch import StartupWatch, may_be_at
from daas_hub.spawners.kubernetes.stock import KUBERNETES_SETTINGS
from daas_hub.spawners.kubernetes.stock_class import StockKubeSpawner
from daas_hub.spawners.kubernetes.stock_values import problems_of_config
from daas_hub.spawners.kubernetes.trial import try_place
from daas_hub.spawners.kubernetes.wall import closed_to
from daas_hub.spawners.kubernetes.watch import is_ending, phase_of
from daas_hub.spawners.mount_handshake import GrantedDirectory, granted_directories
from daas_hub.spawners.readiness import require_answer
from daas_hub.spawners.reconcile import last_outcome
from daas_hub.spawners.runtime_dir import session_key
from daas_hub.spawners.session_output import failure_in
from daas_hub.storage import AccountStorage

#: The first program of every session (`daas_hub.session.pod`).
FIRST_PROGRAM = "daas-pod"
#: Seconds that the calls of a start may take, with their repetitions, before the pod is in the queue.
_CALLS_S = 300
_ENDED = "The session ended before it was ready. Please tell the administrators; the hub's log says more."


class ProposalKubeSpawner(PodEndMixin, StockKubeSpawner):
    """Sessions in pods of a Kubernetes cluster."""

    stock_settings = KUBERNETES_SETTINGS

    start_timeout: int
    #: `start_timeout` as configured, which counts from the moment the pod runs, and what it is for the hub.
    _timeout_s = _hub_timeout_s = 0

    @default("start_timeout")
    def _start_timeout_default(self) -> int:
        return 120

    @classmethod
    def startup_problems(cls, config: Config) -> list[DaasError]:
        """Return settings that do not apply, and what a place is missing."""
        # before a spawner exists: KubeSpawner takes its old names out of the configuration
        stock = [*super().startup_problems(config), *problems_of_config(cls, config)]
        settings = cls(config=config)
        return [
            *stock,
            *place_problems(settings),
            *pods_problems(settings.pods),
            *storage_problems(settings.storage, node_storage=settings.node_storage),
        ]

    @classmethod
    async def examine(cls, config: Config, facility: Facility, plan: Plan | None) -> list[Finding]:
        """Ask the cluster what the hub may do, and run a pod as for this launch (see `ProposalSessionMixin`)."""
        settings = cls(config=config)
        place = await examine(settings)
        return [
            *place,
            *await examine_cluster(settings),
            *storage_findings(settings),
            # what the hub may not do would fail once more, after retries
            *([] if any(one.verdict is Verdict.PROBLEM for one in place) else await try_place(settings, plan)),
            last_outcome(Path(settings.runtime_dir)),
        ]

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Return the same, and applications that cannot be a pod, or whose addresses cannot be allowed."""
        problems = cls.startup_problems(config)
        settings = cls(config=config)
        problems += require_storage(settings.storage)
        if not any(pods_problems(settings.pods)):
            applications = facility.applications.applications.values()
            problems += [*images_problems(settings, facility), *addresses_problems(applications, settings.pods)]
            problems += gpu_problems(settings, facility)
        return problems

    # -- a start --------------------------------------------------------------------------------------------------

    async def prepare(self, plan: Plan) -> bool:
        """Let the hub wait for the queue, too: its `start_timeout` begins before the pod exists."""
        stock: Any = self
        # a group may set it anew at each start
        if stock.start_timeout != self._hub_timeout_s:
            self._timeout_s = stock.start_timeout
            self._hub_timeout_s = stock.start_timeout + math.ceil(self.queue_timeout_s) + _CALLS_S
            stock.start_timeout = self._hub_timeout_s
        return await super().prepare(plan)

    async def start_session(self, plan: Plan) -> str:
        """Create the pod behind its gate, compare it, give it its Secrets, let it go, and wait until it answers."""
        # after a failed start the hub stops the pod it finds: not one that an earlier start left running
        self._owns_pod = False
        await self._require_not_running()
        self._owns_pod = True
        self.require_runtime_dir()
        await self.record_start(plan)
        self.report_progress("Opening your directories")
        plan, granted = await self._granted(plan)
        try:
            return await self._run_pod(plan, granted)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._clean_up()))
            raise

    async def _require_not_running(self) -> None:
        """Refuse a second start of a running session, and a name that is somebody else's; remove an ended pod."""
        try:
            found = await self.client.pod(self.pod_name)
        except APIRefusal as refusal:
            raise refused(refusal) from refusal
        if found is None:
            return
        if not is_ours(found, self.hub_id, self.place_label) or is_of_another(found, self.instance):
            raise SessionFailed(
                "Something else in the cluster has the name of this session.",
                remedy="Please launch another one, and tell the administrators.",
                detail=f"pod {self.pod_name} has not the labels of this hub and place, or another hub made it",
            )
        if phase_of(found) in ("Pending", "Running") and not is_ending(found):
            raise SessionFailed("This session is running already.", remedy="Stop it, or launch another one.")
        if not is_ending(found):
            await self.client.delete_pod(found)
        if not await wait_gone(self.client, self.watch, found, self.stop_timeout_s):
            raise SessionFailed(
                "The end of this session's last run is not confirmed yet.", remedy="Please launch another one."
            )

    async def _granted(self, plan: Plan) -> tuple[Plan, list[GrantedDirectory]]:
        """Return the plan with its directories opened, and what the session must prove that it has."""
        if not self.hub_has_storage:
            return plan, [
                GrantedDirectory("home" if mount.target == "." else mount.target, path, mount.writable, None, None)
                for mount, path in places(plan)
            ]
        async with AccountStorage(plan.account) as storage:
            pinned = await storage.pin(plan.mounts)
            try:
                plan = plan.opened(one.mount for one in pinned)
                await asyncio.to_thread(require_usable_home, pinned, plan.account)
                await storage.make_mount_points(pinned, mount_points(plan), (plan.account.uid, plan.account.gid))
                # another machine has other numbers for the same storage's device
                return plan, [
                    GrantedDirectory(one.name, one.path, one.writable, None, one.inode)
                    for one in granted_directories(plan, pinned)
                ]
            finally:
                for one in pinned:
                    one.close()

    def disk_limits(self, plan: Plan) -> dict[str, int]:
        """Return the most that directories on the node's disk may hold (see `SessionDocumentMixin.disk_limits`)."""
        return disk_limits(plan, self.pod_settings)

    async def _run_pod(self, plan: Plan, granted: list[GrantedDirectory]) -> str:
        settings = self.pod_settings
        secret = f"{self.pod_name}-{self.start_id[:8]}"
        identity = PodIdentity(
            self.pod_name,
            session_key(self.user.name, self.name),
            self.start_id,
            environment_secret=secret,
            files_secret=f"{secret}-files",
            ends=self.ends,
            program=(FIRST_PROGRAM, self.session_program(plan)),
            instance=self.instance,
            variables={"DAAS_GATEWAY": self.gateway_address, "DAAS_PORT": str(settings.port)},
        )
        self.report_progress("Asking the cluster for your session")
        asked = await modified(self, pod_for(plan, settings, identity))
        made = await create_pod(self.client, asked)
        require_asked(asked, made, self.accepted_changes)
        await after_created(self, made)
        environment = secret_environment(self.session_environment(plan))
        await asyncio.gather(
            create_secret(self.client, identity.environment_secret, made, environment),
            create_secret(self.client, identity.files_secret, made, generated_files(plan)),
        )
        startup = StartupWatch(
            self.client, self.watch, made, self.report_progress, self.log, with_events=self.events_enabled
        )
        arrival = await self._expect(startup, granted)
        try:
            await open_gate(self.client, asked, made, self.accepted_changes)
            queued_at = time.time()
            await startup.wait_begun(self.queue_timeout_s)
            # the wait is not part of the session
            self.ends += time.time() - queued_at
            until = time.monotonic() + self._timeout_s
            if not await arrival.is_admitted(startup.over, self._timeout_s):
                output = await self.note_output(startup.pod)
                raise SessionFailed(startup.over.result() or failure_in(output) or _ENDED)
            self.report_progress(f"Starting {plan.application.title}")
            address = self.url_at(arrival.address) if arrival.address else self.address_of(startup.pod)
            left_s = max(1, round(until - time.monotonic()))
            await require_answer(f"{address}{self.server.base_url}api", startup.over, left_s)
        finally:
            startup.close()
        if (session := self.gateway.get(self.pod_name)) is not None:
            session.arrival = None
        return address

    async def _expect(self, startup: StartupWatch, granted: list[GrantedDirectory]) -> Arrival:
        """Let the session's pod in at the gateway, where it must prove what it has."""
        api = (await self.client.address()).partition("://")[2].partition("/")[0]
        further = [*self.closed_addresses, api]

        def closed() -> list[str]:
            return closed_to(startup.pod, self.watch.pods.values(), self.pod_settings.port, further)

        arrival = Arrival(granted, closed, note_contact=startup.note_contact)
        self.gateway_key = key_of(self.api_token)
        try:
            self.open_gateway(arrival, partial(may_be_at, self.watch, self.pod_name, startup.pod["metadata"]["uid"]))
        except OSError as problem:
            raise SessionFailed(
                "Sessions cannot reach the portal.",
                remedy="Please tell the administrators.",
                detail=f"the session gateway cannot be opened at {self.gateway_bind}: {problem}",
            ) from problem
        return arrival

    def open_gateway(self, arrival: Arrival | None = None, may_be_at: Callable[[str], bool] = lambda _: False) -> None:
        """Let this session's pod in at the gateway; without an arrival it is running already.

        Args:
            may_be_at: see `GatewaySession`.
        """
        application = getattr(JupyterHub.instance(), "tornado_application", None) if JupyterHub.initialized() else None
        if application is None:
            return
        routes = session_routes(self.hub.base_url, self.user.escaped_name, self.hub_api_routes)
        self.gateway.add(
            self.pod_name,
            GatewaySession(
                application,
                routes,
                f"session {self._log_name}",
                key=self.gateway_key,
                remaining_s=self.remaining_s,
                arrival=arrival,
                may_be_at=may_be_at,
            ),
        )

    def icon_inside(self, application: Application) -> str:
        """Return the path at which the session finds an application's icon."""
        return icon_path(application)
