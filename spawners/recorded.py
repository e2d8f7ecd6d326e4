"""Sessions of which the hub keeps records, and which it compares with what runs, whatever the backend is.

Records are in a directory of the hub's own machine (`session_records`); `reconcile` compares them.
"""

from __future__ import annotations

import os
import secrets
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jupyterhub
from jupyterhub.utils import maybe_future
from traitlets import Float, List, Unicode, default

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.errors import SessionFailed
from daas_hub.facility import Facility
from daas_hub.launch import Plan, visits_in
from daas_hub.launch_login import VARIABLE as LOGIN_VARIABLE
from daas_hub.launch_reference import VARIABLE
from daas_hub.spawners.base import ProposalSessionMixin
from daas_hub.spawners.egress import EgressRoute
from daas_hub.spawners.interrupted_start import START_INTERRUPTED
from daas_hub.spawners.runtime_dir import own_directory, session_key
from daas_hub.spawners.session_records import RunningSession, SessionRecord, SessionRecords, new_record

#: Variables that an administrator or an application may set otherwise (see `session_environment`).
DEFAULT_VARIABLES = {
    # a lock on a file of a read-only mount reaches the acquisition: its own lock would fail, and with it the scan.
    # BEST_EFFORT does not help, because there locking works
    "HDF5_USE_FILE_LOCKING": "FALSE",
}


class RecordedSessionMixin(ProposalSessionMixin):
    """A session with a record below `runtime_dir`."""

    runtime_dir = Unicode(
        config=True,
        help="""
        Absolute path of the directory for the sockets and generated files of running sessions. Keep it short: a
        socket's path has at most 107 bytes. Example: "/run/daas". Default: /run/daas-hub for root, else a directory of
        the hub's user below $XDG_RUNTIME_DIR or /tmp.
        """,
    )

    hub_api_routes = List(
        Unicode(),
        config=True,
        help="""
        Further routes of the hub's REST API that programs in sessions may use, each as "METHOD /path" below
        /hub/api, where "*" is any one segment of the path: what `server_token_scopes`, or a user's own token, is for.
        Example: ["DELETE /users/*/servers/*"]. Default: none; sessions reach only what they need themselves (login,
        activity, version).
        """,
    )
    reconcile_interval_s = Float(
        60.0,
        min=0.1,
        config=True,
        help="""
        Interval, in seconds, at which the hub compares its sessions with what runs, and ends what nobody owns; it also
        does so when it starts. Default: 60.
        """,
    )
    orphan_grace_s = Float(
        None,
        allow_none=True,
        min=0.0,
        config=True,
        help="""
        Seconds after which a running session that is not in the hub's database is ended, as after the loss of the
        database, or after it was restored. Default: None, it is not ended. It keeps running until its time limit, the
        log and `daas-hub doctor` report it, and an administrator decides with `daas-hub unknown-sessions`.
        """,
    )

    #: Unique id of the last start; the database has it once the start is complete.
    start_id = ""

    @default("runtime_dir")
    def _runtime_dir_default(self) -> str:
        if os.geteuid() == 0:
            return "/run/daas-hub"
        own = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/daas-{os.geteuid()}"  # noqa: S108  # short, for sockets
        return str(Path(own) / "daas-hub")

    @default("poll_interval")
    def _poll_interval_default(self) -> int:
        return 5

    @abstractmethod
    async def start_session(self, plan: Plan) -> str:
        """Start the session and return its URL."""

    @property
    def key(self) -> str:
        """Unique name of this session on this machine, of fixed length."""
        return session_key(self.user.name, self.name)

    # -- what the reconciler asks of a backend (see `daas_hub.spawners.reconcile`) ------------------------------------

    @abstractmethod
    async def list_running(self) -> list[RunningSession]:
        """Return everything of this hub that the backend has, also what the hub does not know.

        Raises:
            DaasError, OSError: the backend does not answer.
        """

    @abstractmethod
    async def end_running(self, one: RunningSession) -> None:
        """End what `list_running` returned. Any exception means that it may still run."""

    async def backend_capacity(self) -> BackendCapacity | None:
        """Return what the backend has for this hub's sessions; None for a backend that cannot be asked.

        Raises:
            DaasError, OSError: the backend does not answer.
        """
        return None

    def name_on_backend(self, user: str, server: str) -> str:
        """Return the name that a session has on the backend."""
        return session_key(user, server)

    # -- the record of a start ---------------------------------------------------------------------------------------

    @property
    def records(self) -> SessionRecords:
        """The records of this hub's sessions."""
        return SessionRecords.of(Path(self.runtime_dir))

    async def record_start(self, plan: Plan) -> None:
        """Write the record of this start; a backend calls it before it starts anything.

        Raises:
            SessionFailed: the session is still to be stopped, or the record cannot be written.
        """
        self.require_startable()
        # whoever knows the reference of a launch finds its record, and its labels
        self.start_id = f"{self.reference}{secrets.token_hex(16)}"[:32]
        try:
            await self.records.write(self.key, self._new_record(plan.proposals))
        except OSError as problem:
            raise SessionFailed(
                "The portal's disk is full or cannot be written to.", remedy="Please tell the administrators."
            ) from problem

    def _new_record(self, proposal: str) -> SessionRecord:
        return new_record(self.start_id, self.user.name, self.name, type(self).__name__, proposal)

    def require_startable(self) -> None:
        """Refuse a start while an earlier session of this name is still to be stopped.

        Raises:
            SessionFailed: it is.
        """
        if self.stop_wanted:
            raise SessionFailed(f"This session is being stopped: {self.stop_kept}", remedy="Please launch another one.")

    @property
    def stop_wanted(self) -> bool:
        """Whether the session was stopped, and its backend has not confirmed that it ended."""
        record = self.records.get(self.key)
        return record is not None and record.stop_wanted

    @property
    def stop_kept(self) -> str:
        """Why a stop takes long, worded for the owner."""
        return "the machine that runs it does not answer. It will be stopped when that machine answers again."

    @property
    def stop_notice(self) -> str:
        """What its card says of a stop that is still to be carried out; "" for none."""
        return f"It is being stopped: {self.stop_kept}" if self.stop_wanted else ""

    async def keep_stop(self) -> None:
        """Record that this session is to be stopped, so that it is, whatever happens now."""
        proposals = ", ".join(dict(visits_in(self.user_options)))
        try:
            await self.records.want_stop(self.key, self._new_record(proposals))
        except OSError as problem:
            self.log.error("%s: its stop could not be recorded on disk: %s", self._log_name, problem)

    @property
    def was_interrupted(self) -> bool:
        """Whether the hub ended while the session was starting; what came to run of it has no owner."""
        record = self.records.get(self.key)
        return record is not None and record.start != self.start_id

    @property
    def was_restored(self) -> bool:
        """Whether the database had this session's start, and does not any more: it was restored from a backup."""
        record = self.records.get(self.key)
        return record is not None and record.is_stored and record.start != self.start_id

    def note_interruption(self) -> None:
        """Say on its card that its start was interrupted, instead of what an earlier session of this name left."""
        # only of what the hub finds when it starts
        if self._check_pending:
            self.ending, self.failure = "", START_INTERRUPTED

    async def start(self) -> str:
        """Start the session, and record that it is complete."""
        url = await super().start()
        try:
            await self.records.mark_ready(self.key)
        except OSError as problem:
            self.log.error("%s: its record could not be updated: %s", self._log_name, problem)
        return url

    async def run_post_stop_hook(self) -> None:
        """Leave what is left of a start that the hub did not live to complete to the reconciler; then run the hook.

        Its session may have been ready. After the database was restored, an administrator decides.
        """
        if self.was_interrupted and not self.start_id and not self.was_restored:
            try:
                await self.records.mark_unfinished(self.key)
            except OSError as problem:
                self.log.error("%s: its record could not be updated: %s", self._log_name, problem)
        await maybe_future(super().run_post_stop_hook())

    def get_state(self) -> dict[str, Any]:
        """Add the id of the start."""
        state = super().get_state()
        if self.start_id:
            state["start"] = self.start_id
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        super().load_state(state)
        self.start_id = str(state.get("start", ""))

    def clear_state(self) -> None:
        """Forget the session."""
        super().clear_state()
        self.start_id = ""

    def require_runtime_dir(self) -> None:
        """Check that the directory of all sessions can be used.

        Raises:
            OSError, ConfigurationError: it cannot.
        """
        own_directory(Path(self.runtime_dir))

    # -- what the session receives -----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def hub_api_url(self) -> str:
        """The URL of the hub's REST API as the session sees it."""

    def egress_of(self, plan: Plan) -> Sequence[EgressRoute]:
        """Return the addresses that the session's own server connects to the outside; none where a network does."""
        return ()

    def get_env(self) -> dict[str, str]:
        """Return JupyterHub's environment of the session, with the API as the session sees it."""
        env: dict[str, str] = super().get_env()
        api = self.hub_api_url
        env["JUPYTERHUB_API_URL"] = api
        env["JUPYTERHUB_ACTIVITY_URL"] = f"{api}/users/{self.user.escaped_name}/activity"
        env["JUPYTERHUB_SERVICE_URL"] = f"http://127.0.0.1:8888{env['JUPYTERHUB_SERVICE_PREFIX']}"
        if "://" in self.session_url:
            env["JUPYTERHUB_PUBLIC_URL"] = self.session_url
            env["JUPYTERHUB_OAUTH_CALLBACK_URL"] = f"{self.session_url}oauth_callback"
        return {key: str(value) for key, value in env.items() if value is not None}

    def session_environment(self, plan: Plan) -> dict[str, str]:
        """Return the whole environment of a session's programs."""
        env = DEFAULT_VARIABLES | {"TZ": plan.timezone} | self.get_env()
        env |= {str(key): str(value) for key, value in Facility.of(self.config).environment.items()}
        env |= plan.environment
        return (
            env
            | {
                "HOME": plan.home,
                "USER": plan.account.name,
                "LOGNAME": plan.account.name,
                "SHELL": "/bin/bash",
                "LANG": "C.UTF-8",
                "TMPDIR": "/tmp",  # noqa: S108  # the session's own
                "XDG_RUNTIME_DIR": "/run/session",
                "DAAS_SESSION": self.session_document(plan, self.egress_of(plan)),
                "DAAS_HUB_VERSION": jupyterhub.__version__,
                VARIABLE: self.reference,
            }
            | ({LOGIN_VARIABLE: self.launch_login.for_session()} if self.launch_login is not None else {})
        )
