"""ProposalDockerSpawner: a session is a hardened container, under the account's own numbers, without a network.

Built on DockerSpawner for what the hub remembers of a container, and for its settings' place; what is started, and how
it is watched, ended and worded, is here. The body of the create call is in `container.py`, the engine in `engine.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from dockerspawner import DockerSpawner
from jupyterhub.utils import maybe_future
from traitlets import Enum, List, Unicode, default
from traitlets.config import Config

from daas_hub.catalogue import Application, icon_file
from daas_hub.errors import ConfigurationError, DaasError, SessionFailed
from daas_hub.facility import Facility
from daas_hub.findings import Finding
from daas_hub.launch import Plan
from daas_hub.spawners.docker.checks import (
    configuration_problems,
    default_certificates,
    default_engine,
    examine,
    foreign_settings,
)
from daas_hub.spawners.docker.container_spec import (
    HUB_LABEL,
    SESSION_LABEL,
    STOP_GRACE_S,
    SessionFiles,
    create_body,
    differences,
    mount_points,
)
from daas_hub.spawners.docker.engine import Address, Engine, EngineUnreachable
from daas_hub.spawners.docker.events import ContainerEventsMixin
from daas_hub.spawners.docker.local_session import LocalSession
from daas_hub.spawners.docker.messages import TELL_ADMINISTRATORS, refusal_of
from daas_hub.spawners.docker.remote.session import RemoteSession
from daas_hub.spawners.egress import host_names
from daas_hub.spawners.guest_layout import SOCKETS_DIR, identity_texts
from daas_hub.spawners.mount_handshake import granted_directories
from daas_hub.spawners.readiness import require_answer
from daas_hub.spawners.runtime_dir import session_key, write_identity_files
from daas_hub.storage import Pinned, make_mount_points, pin


class ProposalDockerSpawner(ContainerEventsMixin, DockerSpawner):
    """Sessions in containers of a Docker engine."""

    engine = Unicode(
        config=True,
        help="""
        Address of the engine: "unix:///run/docker.sock", or one on another machine: "tcp://host:2376" with
        `certificates`, or "ssh://user@host" with the system's ssh. Plain TCP is refused. Another machine must have the
        facility's storage mounted at the same paths as this one. Default: $DOCKER_HOST, else
        unix:///var/run/docker.sock.
        """,
    )
    certificates = Unicode(
        "",
        config=True,
        help="""
        Folder with ca.pem, cert.pem and key.pem for an engine at tcp://. Default: $DOCKER_CERT_PATH.
        """,
    )
    pull = Enum(
        ("missing", "never"),
        default_value="missing",
        config=True,
        help="""
        Whether an image that the engine does not have is fetched: exactly the tag or digest its application names.
        "never" suits an engine without a registry. Default: "missing".
        """,
    )
    read_only = List(
        Unicode(),
        config=True,
        help="""
        Directories of the engine's machine that every session may read, at their own path: licensed programs, tools.
        Example: ["/opt/tools"]. Default: none.
        """,
    )
    hub_label = Unicode(
        config=True,
        help="""
        Word that tells this hub's containers from another hub's on the same engine. Change it while no session runs.
        Default: made of this machine's name and `runtime_dir`.
        """,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for wrong in foreign_settings(self.config):
            raise wrong
        self._is_anothers = False
        self._found_way: LocalSession | RemoteSession | None = None

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Return settings that do not apply, an unsafe engine address, and applications without an image."""
        return configuration_problems(config, facility)

    @classmethod
    async def examine(cls, config: Config, facility: Facility, plan: Plan | None) -> list[Finding]:
        """Ask the engine what it is and has, and run a container as for this launch (see `ProposalSessionMixin`)."""
        settings = cls(config=config)
        return await examine(
            settings.runner,
            facility,
            plan,
            fetches=settings.pull == "missing",
            below=Path(settings.runtime_dir) / "sessions",
            read_only=tuple(map(Path, settings.read_only)),
        )

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
        return f"daas-{session_key(f'{self.hub_label}/{self.user.name}', self.name)}"

    @property
    def runner(self) -> Engine:
        """The engine.

        Raises:
            ConfigurationError: its address is not one a hub may use.
        """
        return Engine.of(Address(self.engine, self.certificates), self.hub_label)

    @property
    def _way(self) -> LocalSession | RemoteSession:
        """How the session arrives and is reached, on the engine's machine."""
        if self._found_way is None:
            api = Path(self.runtime_dir) / "api"
            if self.runner.address.is_remote:
                self._found_way = RemoteSession(self.runner, self.object_name, self.session_dir, api)
            else:
                self._found_way = LocalSession(self.session_dir, api)
        return self._found_way

    def clear_state(self) -> None:
        """Forget the session's container."""
        super().clear_state()
        self.object_id = ""

    # -- before the start: outside the time a start may take ---------------------------------------------------------

    async def prepare(self, plan: Plan) -> bool:
        """Have the image on the engine; tell whether that took its time."""
        reference = plan.application.image
        if not reference:
            raise SessionFailed(f"{plan.application.title} names no image.", remedy=TELL_ADMINISTRATORS)
        await self.runner.require_able()
        image = await self.runner.image(reference)
        was_missing = image is None
        if image is None:
            if self.pull == "never":
                raise SessionFailed(f"The image {reference} is not here.", remedy="Please tell the administrators.")
            await self.runner.pulls.wait_for(reference, self.report_progress)
            image = await self.runner.image(reference)
        if image is None:
            raise SessionFailed(f"The image {reference} is not here any more.", remedy="Please launch again.")
        if (image.get("Config") or {}).get("Volumes"):
            # a volume is a writable place on the engine's disk, without a limit
            raise SessionFailed(
                f"The image {reference} declares volumes, which no session may have.", remedy=TELL_ADMINISTRATORS
            )
        return was_missing

    # -- the life of a session -----------------------------------------------------------------------------------------

    async def start_session(self, plan: Plan) -> str:
        """Create the container, compare it with the plan, start it, and let it in."""
        # after a start that failed the hub stops what it finds: not until we know that it is this start's
        self._is_anothers = True
        await self._require_nothing_runs()
        self._is_anothers = False
        self.open_hub_api()
        self.report_progress("Opening your directories")
        pinned = await pin(plan.mounts)
        plan = plan.opened(one.mount for one in pinned)
        try:
            await make_mount_points(pinned, mount_points(plan), (plan.account.uid, plan.account.gid))
            self._prepare_session_dir(plan)
            self.report_progress("Creating your session's container")
            try:
                await self._run_container(plan, pinned)
            except BaseException:
                await asyncio.shield(asyncio.ensure_future(self._clear_away()))
                raise
        finally:
            for one in pinned:
                one.close()
        return self.address

    async def poll(self) -> int | None:
        """Return whether the session runs: None, or its exit code; ends one whose hours are used up.

        It never raises, and an engine that does not answer means that nothing is known: the hub would take anything
        else for the end of the session, and forget one that runs.
        """
        if self._is_anothers:
            return 0
        self.keep_sockets_open()
        try:
            state = await self.runner.state_of(self.object_name)
            self.listen_to_engine()
            if state.status in ("running", "paused", "created", "restarting"):
                if not self._spawn_pending:
                    self._way.keep_reached()
                self.note_pause(state.status == "paused")
                if not self.is_over():
                    return None
                self.log.info("%s: reached its time limit", self._log_name)
                await self.stop()
                self.ending = "Its hours were used up."
                return 0
            return await self.ended()
        except (EngineUnreachable, SessionFailed, ConfigurationError, APIError) as problem:
            self.log.error("%s: nothing is known of it: %s", self._log_name, problem)
            return None

    async def stop(self, now: bool = False) -> None:
        """End the session; one that is gone already is stopped, too (DI03)."""
        if self._is_anothers:
            return
        engine = self.runner
        try:
            state = await engine.inspect(self.object_name)
            if state is not None and state["State"].get("Paused"):
                await engine.call("unpause", self.object_name)
            await engine.call("stop", self.object_name, timeout=0 if now else STOP_GRACE_S)
        except NotFound:
            pass
        except APIError as problem:
            raise SessionFailed("The session could not be stopped.", remedy=TELL_ADMINISTRATORS) from problem
        finally:
            engine.forget_listing()

    async def run_post_stop_hook(self) -> None:
        """Remove what the session had, after its last words were kept; then run the administrator's hook."""
        with contextlib.suppress(ConfigurationError):
            if not self._is_anothers and (await self.state_or_unknown()) not in ("running", "paused", "unknown"):
                await self._clear_away()
        await maybe_future(super().run_post_stop_hook())

    # -- steps ----------------------------------------------------------------------------------------------------

    async def _require_nothing_runs(self) -> None:
        """Refuse a second start beside a session that runs, whatever the hub remembers; remove an ended one."""
        found = await self.runner.inspect(self.object_name)
        if found is None:
            return
        if found["State"]["Running"]:
            raise SessionFailed("This session is running already.", remedy="Stop it, or launch another one.")
        await self.runner.remove(self.object_name)

    def _prepare_session_dir(self, plan: Plan) -> None:
        shutil.rmtree(self.session_dir, ignore_errors=True)
        # closed to everybody but the hub and the engine: behind the door stands what makes a session of somebody
        self.session_dir.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.session_dir.mkdir(mode=0o700)
        icons = self.sockets_dir / "icons"
        icons.mkdir(parents=True)
        for application in plan.desktops:
            shutil.copyfile(icon_file(application), icons / f"{application.name}.svg")
            (icons / f"{application.name}.svg").chmod(0o644)
        empty = self.session_dir / "empty"
        empty.mkdir()
        for mount in plan.mounts:
            if mount.target.startswith("data/"):
                (empty / mount.target.removeprefix("data/")).mkdir()
        for folder in (self.sockets_dir, icons, empty, *empty.iterdir()):
            folder.chmod(0o755)  # whatever the hub's umask is
        names = host_names(plan.application.egress)
        write_identity_files(self.session_dir / "identity", identity_texts(plan.account, names))
        self.open_egress(plan)

    def icon_inside(self, application: Application) -> str:
        """Return the path at which the session finds an application's icon."""
        return f"{SOCKETS_DIR}/icons/{application.name}.svg"

    async def _run_container(self, plan: Plan, pinned: tuple[Pinned, ...]) -> None:
        """Create, compare, start, let in, and wait for the answer."""
        over = self.wait_for_end()
        await self._worded(plan, self._way.bring_files(plan.application.image or ""))
        await self._way.arrive(
            lambda places: self._create(plan, places),
            lambda: self._start_container(plan),
            granted_directories(plan, pinned),
            self.session_environment(plan),
            read_only=tuple(Path(path) for path in self.read_only),
            over=over,
        )
        await require_answer(f"{self.address}{self.server.base_url}api", over, self.start_timeout)

    async def _start_container(self, plan: Plan) -> None:
        await self._worded(plan, self.runner.call("start", self.object_name))
        self.report_progress(f"Starting {plan.application.title}")

    async def _create(self, plan: Plan, places: SessionFiles) -> None:
        body = create_body(
            plan,
            places,
            program=self.session_program(plan),
            labels={HUB_LABEL: self.hub_label, SESSION_LABEL: self.object_name},
        )
        created = await self._worded(plan, self.runner.call("create_container_from_config", body, self.object_name))
        self.object_id = created["Id"]
        made = await self.runner.inspect(self.object_id)
        wrong = differences(body, made["Mounts"], made["HostConfig"]) if made else ["everything"]
        if wrong:
            self.log.error("%s: the engine made something else: %s", self._log_name, ", ".join(wrong))
            raise SessionFailed(
                "The container is not what was asked for; it was not started.", remedy=TELL_ADMINISTRATORS
            )

    async def _worded(self, plan: Plan, doing: Awaitable[Any]) -> Any:
        """Wait for the engine to do something; word what it refuses."""
        try:
            return await doing
        except APIError as error:
            raise refusal_of(plan, str(error.explanation or error)) from error

    async def _clear_away(self) -> None:
        """Remove the container and the session's folder; what cannot be removed now is told, and stays labelled."""
        self.runner.listen_no_more(self.object_name)
        self.close_egress()
        self._way.close()
        try:
            await self.runner.remove(self.object_name)
            await self._way.forget()
        except (APIError, EngineUnreachable) as problem:
            self.log.error("%s: container %s was not removed: %s", self._log_name, self.object_name, problem)
        await asyncio.to_thread(shutil.rmtree, self.session_dir, True)
