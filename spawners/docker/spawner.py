"""ProposalDockerSpawner: a session is a hardened container, under the account's own numbers, without a network.

Built on DockerSpawner for what the hub stores of a container. What is started, watched and ended is here.
The body of the create call is in `container_spec.py`, the engine in `engine.py`, the messages in `messages.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from aiodocker import DockerError
from dockerspawner import DockerSpawner
from jupyterhub.utils import maybe_future
from traitlets import Dict, Enum, List, Unicode, default
from traitlets.config import Config

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.catalogue import Application, Kind, icon_file
from daas_hub.errors import ConfigurationError, DaasError, SessionFailed, StorageProblem
from daas_hub.facility import Facility
from daas_hub.findings import Finding
from daas_hub.launch import Plan
from daas_hub.spawners.docker.address import Address, default_certificates, default_engine
from daas_hub.spawners.docker.capacity import capacity_of_engine
from daas_hub.spawners.docker.checks import address_problems, applications_without_image, examine
from daas_hub.spawners.docker.compare import differences
from daas_hub.spawners.docker.container_spec import (
    HUB_LABEL,
    LAUNCH_LABEL,
    PLACE_LABEL,
    SESSION_LABEL,
    STOP_GRACE_S,
    SessionFiles,
    create_body,
)
from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from daas_hub.spawners.docker.events import ContainerEventsMixin
from daas_hub.spawners.docker.gpus import GPURequest, choose, devices_in_use, gpu_problems, read_kinds
from daas_hub.spawners.docker.images import require_image
from daas_hub.spawners.docker.leftovers import end_session, sessions_on
from daas_hub.spawners.docker.messages import TELL_ADMINISTRATORS, refusal_of
from daas_hub.spawners.docker.placed_mounts import PlacedMounts
from daas_hub.spawners.docker.session_transport import SessionTransport
from daas_hub.spawners.docker.stock import DOCKER_SETTINGS
from daas_hub.spawners.docker.transports import transport_of
from daas_hub.spawners.egress import host_names
from daas_hub.spawners.guest_layout import SOCKETS_DIR, identity_texts, mount_points, mount_points_below
from daas_hub.spawners.home_access import require_usable_home
from daas_hub.spawners.mount_handshake import granted_directories
from daas_hub.spawners.readiness import require_answer
from daas_hub.spawners.reconcile import last_outcome
from daas_hub.spawners.runtime_dir import session_key, write_identity_files
from daas_hub.spawners.session_records import RunningSession
from daas_hub.storage import AccountStorage, Pinned

_T = TypeVar("_T")


class ProposalDockerSpawner(ContainerEventsMixin, DockerSpawner):
    """Sessions in containers of a Docker engine."""

    stock_settings = DOCKER_SETTINGS

    engine = Unicode(
        config=True,
        help="""
        Address of the engine: "unix:///run/docker.sock", or one on another machine: "tcp://host:2376" with
        `certificates`, or "ssh://user@host" with the keys and known hosts of the hub's user. Plain TCP is refused.
        Another machine needs daas-hub[remote] here, and the facility's storage mounted at the same paths there.
        Default: $DOCKER_HOST, else unix:///var/run/docker.sock.
        """,
    )
    certificates = Unicode(
        "",
        config=True,
        help="""
        Directory with ca.pem, cert.pem and key.pem for an engine at tcp://. Default: $DOCKER_CERT_PATH.
        """,
    )
    pull = Enum(
        ("missing", "never"),
        default_value="never",
        config=True,
        help="""
        When to pull images. "never": only images that are on the engine are used. "missing": an image that the engine
        does not have is pulled at the first launch, exactly the tag or digest its application names; name your
        registry in the applications, because a name without one means a public registry. Default: "never".
        """,
    )
    read_only = List(
        Unicode(),
        config=True,
        help="""
        Directories of the engine's machine that are mounted read-only into every session, at their own path: licensed
        programs, tools. Example: ["/opt/tools"]. Default: [].
        """,
    )
    gpus = Dict(
        config=True,
        help="""
        How sessions get the GPUs of their size, by its `gpu_kind` ("" for a size that names none): a dictionary with
        `devices`, names of devices of the engine's machine, each of which one session has at a time, and `driver`,
        "cdi" (the default) or the driver of a device request ("nvidia"). A driver without `devices` chooses itself, and
        sessions share the device. Example: {"": {"devices": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]}}. Default: {}.
        """,
    )
    hub_label = Unicode(
        config=True,
        help="""
        Label by which this hub recognises its containers among those of other hubs on the same engine. Change it only
        while no session runs. Default: a hash of this machine's name and `runtime_dir`.
        """,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._owns_container = True
        self._session_transport: SessionTransport | None = None

    @classmethod
    def startup_problems(cls, config: Config) -> list[DaasError]:
        """Return settings that do not apply, an unsafe address of the engine, and a missing extra."""
        return [*super().startup_problems(config), *address_problems(config)]

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Return the same, applications without an image, and sizes whose GPUs are not configured."""
        return [
            *cls.startup_problems(config),
            *applications_without_image(facility),
            *gpu_problems(dict(cls(config=config).gpus), facility.applications.sizes),
        ]

    @classmethod
    async def examine(cls, config: Config, facility: Facility, plan: Plan | None) -> list[Finding]:
        """Ask the engine what it is and has, and run a container as for this launch (see `ProposalSessionMixin`)."""
        settings = cls(config=config)
        found = await examine(
            settings.docker_engine,
            facility,
            plan,
            pulls=settings.pull == "missing",
            below=Path(settings.runtime_dir) / "sessions",
            read_only=tuple(map(Path, settings.read_only)),
        )
        return [*found, last_outcome(Path(settings.runtime_dir))]

    @default("engine")
    def _engine_default(self) -> str:
        return default_engine()

    @default("certificates")
    def _certificates_default(self) -> str:
        return default_certificates()

    @default("hub_label")
    def _hub_label_default(self) -> str:
        return session_key(socket.gethostname(), self.runtime_dir)

    @default("object_name")
    def _object_name_default(self) -> str:
        # the settings are read without a user, too
        return self.name_on_backend(self.user.name, self.name) if self.user is not None else ""

    @property
    def docker_engine(self) -> Engine:
        """The engine.

        Raises:
            ConfigurationError: its address is not one a hub may use.
        """
        return Engine.of(Address(self.engine, self.certificates), self.hub_label)

    @property
    def _transport(self) -> SessionTransport:
        """How the session is brought onto the engine's machine and reached there."""
        if self._session_transport is None:
            self._session_transport = transport_of(self.docker_engine, self.object_name, self.session_dir, self.api_dir)
        return self._session_transport

    def clear_state(self) -> None:
        """Forget the session's container."""
        super().clear_state()
        self.object_id = ""

    # -- before the start: outside the time a start may take ---------------------------------------------------------

    async def prepare(self, plan: Plan) -> bool:
        """Make sure that the engine has the image, then wait for a turn; return whether either took a while."""
        pulled = await require_image(self.docker_engine, plan.application, self.report_progress, pull=self.pull)
        return await super().prepare(plan) or pulled

    # -- the life of a session -----------------------------------------------------------------------------------------

    async def start_session(self, plan: Plan) -> str:
        """Create the container, compare it with the plan, start it, and hand over its environment."""
        # after a failed start the hub stops the container it finds: not one that an earlier start left running
        self._owns_container = False
        await self._require_not_running()
        self._owns_container = True
        self.require_runtime_dir()
        await self.record_start(plan)
        self.report_progress("Opening your directories")
        async with AccountStorage(plan.account) as storage:
            pinned = await storage.pin(plan.mounts)
            plan = plan.opened(one.mount for one in pinned)
            try:
                # the storage of an engine on another machine may number its users otherwise
                if not self.docker_engine.address.is_remote:
                    await asyncio.to_thread(require_usable_home, pinned, plan.account)
                await storage.make_mount_points(pinned, mount_points(plan), (plan.account.uid, plan.account.gid))
                self._prepare_session_dir(plan)
                self.report_progress("Creating your session's container")
                try:
                    await self._run_container(plan, pinned, storage)
                except BaseException:
                    await asyncio.shield(asyncio.ensure_future(self._clean_up()))
                    raise
            finally:
                for one in pinned:
                    one.close()
        return self.address

    async def poll(self) -> int | None:
        """Return whether the session runs: None, or its exit code; stops one that reached its time limit.

        An engine that does not answer means that the state is unknown, as any exception does.
        """
        if not self._owns_container:
            return 0
        if self.was_interrupted and not self._start_pending:
            self.note_interruption()
            return 0
        self.keep_sockets_open()
        try:
            state = await self.docker_engine.state_of(self.object_name)
            self.listen_to_engine()
            if state.status in ("running", "paused", "created", "restarting"):
                if not self._spawn_pending:
                    self._transport.keep_connected()
                self.note_pause(state.status == "paused")
                if not self.is_over():
                    return None
                # before the stop: its event is reported meanwhile
                self.note_end()
                await self.stop()
                return 0
            return await self.ended()
        except (SessionFailed, ConfigurationError, DockerError) as problem:
            self.log.error("%s: its state is unknown: %s", self._log_name, problem)
            return None

    async def stop(self, now: bool = False) -> None:
        """End the session; one that is already gone is stopped, too (DI03)."""
        if not self._owns_container:
            return
        await self.keep_stop()
        engine = self.docker_engine
        try:
            state = await engine.inspect(self.object_name)
            if state is not None and state["State"].get("Paused"):
                await engine.call(lambda docker: docker.containers.container(self.object_name).unpause())
            grace_s = 0 if now else STOP_GRACE_S
            await engine.call(lambda docker: docker.containers.container(self.object_name).stop(t=grace_s))
        except DockerError as problem:
            if problem.status != 404:
                raise SessionFailed("The session could not be stopped.", remedy=TELL_ADMINISTRATORS) from problem
        finally:
            engine.note_stop(self.object_name)

    async def run_post_stop_hook(self) -> None:
        """Remove what the session had, after its last output was logged; then run the administrator's hook."""
        with contextlib.suppress(ConfigurationError):
            gone = (await self.state_or_unknown()) not in ("running", "paused", "unknown")
            if self._owns_container and (gone or self.was_interrupted) and not self.was_restored:
                await self._clean_up()
        await maybe_future(super().run_post_stop_hook())

    # -- what runs, whatever the hub knows -----------------------------------------------------------------------------

    def name_on_backend(self, user: str, server: str) -> str:
        """Return the name of a session's container, and of its volume on another machine."""
        return f"daas-{session_key(f'{self.hub_label}/{user}', server)}"

    async def backend_capacity(self) -> BackendCapacity:
        """Return what the engine's machine has (see `capacity_of_engine`)."""
        return await capacity_of_engine(self.docker_engine, self.gpus)

    async def list_running(self) -> list[RunningSession]:
        """Return the sessions of this hub on the engine by its label, ended ones too (see `RunningSession`).

        Mounts of starts that a killed hub did not finish are removed: whatever the containers have, they keep.
        """
        await PlacedMounts.remove_unused(Path(self.runtime_dir) / "mounts", self.docker_engine.address)
        return await sessions_on(self.docker_engine)

    async def end_running(self, one: RunningSession) -> None:
        """Stop and remove its containers, then its volume (see `end_session`)."""
        await end_session(self.docker_engine, one, STOP_GRACE_S)

    # -- steps ----------------------------------------------------------------------------------------------------

    async def _require_not_running(self) -> None:
        """Refuse a second start of a running session, whatever the hub remembers; remove an ended container."""
        found = await self.docker_engine.inspect(self.object_name)
        if found is None:
            return
        if found["State"]["Running"]:
            raise SessionFailed("This session is running already.", remedy="Stop it, or launch another one.")
        await self.docker_engine.remove(self.object_name)

    def _prepare_session_dir(self, plan: Plan) -> None:
        shutil.rmtree(self.session_dir, ignore_errors=True)
        # closed to everybody but the hub and the engine: whoever reaches these sockets acts for the person
        self.session_dir.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.session_dir.mkdir(mode=0o700)
        icons = self.sockets_dir / "icons"
        icons.mkdir(parents=True)
        for application in plan.desktops:
            shutil.copyfile(icon_file(application), icons / f"{application.name}.svg")
            (icons / f"{application.name}.svg").chmod(0o644)
        empty = self.session_dir / "empty"
        empty.mkdir()
        self.api_dir.mkdir()
        for name in mount_points_below(plan):
            (empty / name).mkdir(parents=True, exist_ok=True)
        for folder in (self.api_dir, self.sockets_dir, icons, empty, *empty.rglob("*")):
            folder.chmod(0o755)  # whatever the hub's umask is
        names = host_names(plan.application.egress)
        write_identity_files(self.session_dir / "identity", identity_texts(plan.account, names), plan.timezone)
        self.open_sockets(plan)

    def icon_inside(self, application: Application) -> str:
        """Return the path at which the session finds an application's icon."""
        return f"{SOCKETS_DIR}/icons/{application.name}.svg"

    async def _run_container(self, plan: Plan, pinned: tuple[Pinned, ...], storage: AccountStorage) -> None:
        """Create, compare, start, hand over its environment, and wait until it answers."""
        ended = self.wait_for_end()
        await self._refusals(plan, self._transport.send_files(plan.application.image or ""))
        placed = await self._placed_mounts.place(plan, pinned, storage, self.session_dir / "empty")
        try:
            await self._transport.launch(
                lambda files: self._create(plan, files, placed),
                lambda: self._start_container(plan),
                granted_directories(plan, pinned),
                self.session_environment(plan),
                read_only=tuple(Path(path) for path in self.read_only),
                ended=ended,
                storage=storage,
            )
        finally:
            await asyncio.shield(asyncio.ensure_future(self._placed_mounts.remove()))
        if plan.application.kind is not Kind.NOTEBOOK and not self.docker_engine.address.is_remote:
            # the hub has created its socket, which on another machine the session's tunnel does
            self.report_accepting(self.address)
        await require_answer(f"{self.address}{self.server.base_url}api", ended, self.http_timeout)

    async def _start_container(self, plan: Plan) -> None:
        await self._refusals(plan, self.docker_engine.start(self.object_name))
        self.report_progress(f"Starting {plan.application.title}")

    @property
    def _placed_mounts(self) -> PlacedMounts:
        return PlacedMounts(Path(self.runtime_dir) / "mounts" / self.object_name, self.docker_engine.address)

    async def _create(self, plan: Plan, files: SessionFiles, placed: Mapping[str, Path]) -> None:
        if not plan.size.gpus:
            await self._create_with(plan, files, placed)
            return
        async with self.docker_engine.choosing_gpus:
            in_use = devices_in_use(await self.docker_engine.containers())
            await self._create_with(plan, files, placed, choose(plan.size, read_kinds(self.gpus), in_use))

    async def _create_with(
        self, plan: Plan, files: SessionFiles, placed: Mapping[str, Path], gpus: GPURequest | None = None
    ) -> None:
        body = create_body(
            plan,
            files,
            program=self.session_program(plan),
            labels={HUB_LABEL: self.hub_label, SESSION_LABEL: self.object_name}
            | ({PLACE_LABEL: self.place} if self.place else {})
            | ({LAUNCH_LABEL: self.reference} if self.reference else {})
            | (gpus.labels if gpus else {}),
            placed=placed,
            device_requests=[gpus.as_document()] if gpus else [],
        )
        create = self.docker_engine.call(lambda docker: docker.containers.create(body, name=self.object_name))
        self.object_id = (await self._refusals(plan, create)).id
        made = await self.docker_engine.inspect(self.object_id)
        wrong = differences(body, made["Mounts"], made["HostConfig"]) if made else ["everything"]
        if wrong:
            self.log.error("%s: the engine made another container: %s", self._log_name, ", ".join(wrong))
            raise SessionFailed(
                "The container is not what was asked for; it was not started.", remedy=TELL_ADMINISTRATORS
            )

    async def _refusals(self, plan: Plan, request: Awaitable[_T]) -> _T:
        """Wait for a request to the engine; turn its refusal into a message for the user."""
        try:
            return await request
        except DockerError as error:
            raise refusal_of(plan, error.message) from error

    async def _clean_up(self) -> None:
        """Remove the container and the session's directory; what cannot be removed is logged, and stays labelled."""
        self.docker_engine.stop_listening(self.object_name)
        self.close_sockets()
        self._transport.close()
        try:
            await self._placed_mounts.remove()
        except (OSError, StorageProblem) as problem:
            # the next round of the reconciler tries again
            self.log.error("%s: its mounts for the engine are still there: %s", self._log_name, problem)
        try:
            await self.docker_engine.remove(self.object_name)
            await self._transport.remove_files()
        except (DockerError, EngineUnreachable) as problem:
            # the record stays: the reconciler tries again
            self.log.error("%s: container %s was not removed: %s", self._log_name, self.object_name, problem)
        else:
            await self.records.remove(self.key)
        await asyncio.to_thread(shutil.rmtree, self.session_dir, True)
