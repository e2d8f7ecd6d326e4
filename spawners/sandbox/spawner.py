"""SandboxSpawner: a session is a bubblewrap sandbox on the hub's own machine. No root, no daemon, no image needed.

A hub that runs as root starts each session under the account's own uid; any other hub starts it under its own uid, and
the session sees the account's uid inside. The mounts are compared with the granted ones before the first program of the
session runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from jupyterhub.spawner import Spawner
from jupyterhub.utils import maybe_future
from traitlets import List, Unicode
from traitlets.config import Config

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.catalogue import Kind, Size
from daas_hub.errors import DaasError, SessionFailed
from daas_hub.facility import Facility
from daas_hub.findings import Finding, ok, warning
from daas_hub.launch import Plan
from daas_hub.spawners.egress import host_names
from daas_hub.spawners.guest_layout import identity_texts, mount_points
from daas_hub.spawners.home_access import require_usable_home
from daas_hub.spawners.probe_findings import findings_of, nothing_tried, trial_failed
from daas_hub.spawners.readiness import require_answer
from daas_hub.spawners.reconcile import last_outcome
from daas_hub.spawners.runtime_dir import open_listener, write_identity_files
from daas_hub.spawners.sandbox.argv import InheritedFds, sandbox_argv
from daas_hub.spawners.sandbox.cgroups import ControlGroup, existing_group, make_group
from daas_hub.spawners.sandbox.checks import prefix_problem, require_no_gpus, sandbox_problem, sizes_with_gpus
from daas_hub.spawners.sandbox.launch import SandboxLaunch, build_sandbox
from daas_hub.spawners.sandbox.machine import capacity_of_this_machine
from daas_hub.spawners.sandbox.processes import ProcessId, descendants, marked_processes
from daas_hub.spawners.sandbox.seccomp import seccomp_problem
from daas_hub.spawners.sandbox.trial import try_sandbox
from daas_hub.spawners.session_output import KeptOutput, failure_in, last_output, output_of_earlier_hub, own_end_in
from daas_hub.spawners.session_records import RunningSession
from daas_hub.spawners.sockets import SocketSessionMixin
from daas_hub.spawners.stock import OWN_VARIABLES
from daas_hub.storage import AccountStorage, Pinned

#: Name of the file with the end of a session's output, in its folder on the hub's machine.
OUTPUT_FILE = "output"
#: Seconds a session has to terminate before it is killed.
STOP_GRACE_S = 4.0


class SandboxSpawner(SocketSessionMixin, Spawner):
    """Sessions in bubblewrap sandboxes on this machine."""

    prefix = Unicode(
        sys.prefix,
        config=True,
        help="""
        Python environment of the session's own programs, mounted read-only in every session. Every account must be
        able to read it and to run its interpreter. Default: the environment the hub runs in.
        """,
    )
    bwrap = Unicode(
        "bwrap", config=True, help='Name or path of the bubblewrap program, 0.8 or newer. Default: "bwrap".'
    )
    read_only = List(
        Unicode(),
        config=True,
        help="""
        Directories of this machine mounted read-only in every session, at the same path: applications outside of /usr.
        Example: ["/opt/tools"]. Default: none.
        """,
    )

    #: The sandbox's first process, with which everything in it ends.
    process = ProcessId(0, 0.0, "")
    #: Bubblewrap outside, which ends with the session's server.
    monitor = ProcessId(0, 0.0, "")
    _watcher: asyncio.Future[None] | None = None
    #: Bubblewrap's exit code; None while it runs, and of a session that an earlier process of the hub started.
    _exit_code: int | None = None
    #: How many of its processes were killed at the memory limit, and when that was seen; None before the first look.
    _memory_kills: int | None = None
    _memory_kill_at = 0.0

    own_variables = OWN_VARIABLES | {"PATH"}

    @classmethod
    def startup_problems(cls, config: Config) -> list[DaasError]:
        """Add a Python environment that sessions cannot enter, and system calls that cannot be filtered.

        The filter is compiled here, before anybody launches (see `ProposalSessionMixin.startup_problems`).
        """
        if problems := super().startup_problems(config):
            return problems
        settings = cls(config=config)
        found = (prefix_problem(settings.prefix, settings.read_only, others=os.geteuid() == 0), seccomp_problem())
        return [one for one in found if one is not None]

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Add that no sandbox can be built on this machine, and sizes with GPUs, which a sandbox does not have."""
        if problems := cls.startup_problems(config):
            return problems
        problem = sandbox_problem(cls(config=config).bwrap)
        return [*([problem] if problem else []), *sizes_with_gpus(facility.applications.sizes)]

    @classmethod
    async def examine(cls, config: Config, facility: Facility, plan: Plan | None) -> list[Finding]:
        """Build a sandbox as for this launch, and run the probe in it (see `ProposalSessionMixin.examine`)."""
        settings = cls(config=config)
        found = [_limits_finding(), last_outcome(Path(settings.runtime_dir))]
        if plan is None:
            return [*found, nothing_tried()]
        try:
            report = await try_sandbox(
                plan,
                prefix=Path(settings.prefix),
                read_only=[Path(path) for path in settings.read_only],
                bwrap=settings.bwrap,
            )
        except DaasError as error:
            return [*found, trial_failed(error)]
        return [*found, *findings_of(report, plan)]

    # -- state across a restart of the hub ------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what identifies the session's process, also after its pid was reused."""
        state: dict[str, Any] = super().get_state()
        if self.process.pid:
            state["process"] = self.process.as_state()
            state["monitor"] = self.monitor.as_state()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        super().load_state(state)
        self.process = ProcessId.from_state(state.get("process"))
        self.monitor = ProcessId.from_state(state.get("monitor"))

    def clear_state(self) -> None:
        """Forget the session."""
        super().clear_state()
        self.process = self.monitor = ProcessId(0, 0.0, "")

    # -- the life of a session -----------------------------------------------------------------------------------

    async def start_session(self, plan: Plan) -> str:
        """Build the sandbox, compare its mounts with the granted ones, and let it run."""
        require_no_gpus(plan.size)
        self.require_runtime_dir()
        self.report_progress("Opening your directories")
        async with AccountStorage(plan.account) as storage:
            pinned = await storage.pin(plan.mounts)
            plan = plan.opened(one.mount for one in pinned)
            try:
                self._require_not_running()
                await asyncio.to_thread(require_usable_home, pinned, plan.account)
                # bubblewrap would make them, too, but not say what is in their way
                await storage.make_mount_points(pinned, mount_points(plan), (plan.account.uid, plan.account.gid))
                await self.record_start(plan)
                self._prepare_session_dir(plan)
                self.report_progress("Building your session's sandbox")
                await self._run_sandbox(plan, pinned, storage)
            finally:
                for one in pinned:
                    one.close()
        self.report_progress(f"Starting {plan.application.title}")
        if plan.application.kind is not Kind.NOTEBOOK:
            # a notebook's server needs a second, which its progress page is for
            self.report_accepting(self.address)
        await require_answer(f"{self.address}{self.server.base_url}api", self._over, self.http_timeout)
        return self.address

    async def poll(self) -> int | None:
        """Return None while the session runs, else 0; stop one that has reached its time limit."""
        self.keep_sockets_open()
        if self.was_interrupted and not self._start_pending:
            self.note_interruption()
            return 0
        if self.process.is_running() and self.is_over():
            # before the stop: the watcher reports its end meanwhile
            self.note_end()
            await self.stop()
        if self.monitor.pid and not self.monitor.is_running() and self.process.is_running():
            # programs that the server started must not outlive it
            self.process.kill()
            await self.process.gone_within(STOP_GRACE_S)
        group = existing_group(self.key)
        was_killed = self._look_for_memory_kills(group)
        if self.process.is_running():
            return None
        if self.process.pid and not self.ending and not self._start_pending:
            # it ended itself, and maybe while the hub was away
            output = await output_of_earlier_hub(self.session_dir / OUTPUT_FILE)
            self.ending = self.own_end_words(own_end_in(output))
            # of its server, or of the X server that it does not outlive
            if not self.ending and was_killed and self._exit_code != 0:
                self.note_memory_end(group.memory_limit())
        return 0

    def _look_for_memory_kills(self, group: ControlGroup) -> bool:
        """Return whether programs were killed at the session's memory limit since the last look; its card says so."""
        before, self._memory_kills = self._memory_kills, group.memory_kills()
        # a hub that was restarted does not know when
        if before is not None and self._memory_kills > before:
            self._memory_kill_at = time.time()
        self.notice = self.memory_notice(self._memory_kill_at)
        return self._memory_kills > (before or 0)

    async def stop(self, now: bool = False) -> None:
        """Terminate the session, then kill what is left of it, down to the last process."""
        process = self.process
        if process.is_running():
            for pid in descendants(process.pid, generations=1):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            await process.gone_within(0 if now else STOP_GRACE_S)
        if process.is_running():
            # with the first process of a pid namespace the kernel kills all others
            process.kill()
            if not await process.gone_within(STOP_GRACE_S):
                # in a frozen control group, or in the kernel: the reconciler kills it again until it is gone
                self.log.error("%s: process %d could not be ended", self._log_name, process.pid)
                await self.keep_stop()

    @property
    def stop_kept(self) -> str:
        """Why a stop takes long, worded for the owner."""
        return "its programs could not be ended yet. The portal keeps trying."

    async def run_post_stop_hook(self) -> None:
        """Remove the session's files, sockets and cgroup, then run the administrator's hook.

        JupyterHub calls this after every end, but `stop` only for a session that still runs.
        """
        if not self.process.is_running() and not self.was_restored:
            self.close_sockets()
            if self._watcher is None:
                self._log_output(await output_of_earlier_hub(self.session_dir / OUTPUT_FILE))
            try:
                # a launch that was refused has started nothing, and its page waits for this
                if self.records.get(self.key) is not None:
                    await self._end_leftovers()
                else:
                    await asyncio.to_thread(existing_group(self.key).remove)
            except SessionFailed as problem:
                # its folder and its record stay: the reconciler tries again
                self.log.error("%s: %s", self._log_name, problem)
            else:
                await asyncio.to_thread(shutil.rmtree, self.session_dir, True)
                await self.records.remove(self.key)
        await maybe_future(super().run_post_stop_hook())

    # -- what runs, whatever the hub knows -------------------------------------------------------------------------

    async def backend_capacity(self) -> BackendCapacity:
        """Return what this machine has."""
        return capacity_of_this_machine()

    async def list_running(self) -> list[RunningSession]:
        """Return the sandboxes of this hub by the folder that their arguments name (see `RunningSession`)."""
        found = await asyncio.to_thread(marked_processes, Path(self.runtime_dir) / "sessions")
        return [RunningSession(key, tuple(processes)) for key, processes in found.items()]

    async def end_running(self, one: RunningSession) -> None:
        """Kill these processes, and remove the session's cgroup.

        Raises:
            SessionFailed: one of them is still there.
        """
        for process in one.handles:
            process.kill()
        for process in one.handles:
            if not await process.gone_within(STOP_GRACE_S):
                raise SessionFailed(f"Process {process.pid} of the session could not be ended.")
        await asyncio.to_thread(existing_group(one.name).remove)

    async def _end_leftovers(self) -> None:
        """End what an interrupted start of this session left, and remove its cgroup."""
        left = [one for one in await self.list_running() if one.name == self.key]
        await self.end_running(left[0] if left else RunningSession(self.key, ()))

    # -- steps -----------------------------------------------------------------------------------------------------

    def _require_not_running(self) -> None:
        """Refuse a second start of a running session, whatever the hub's database says."""
        kept = self._kept_process()
        if kept.is_running():
            self.process = kept
            raise SessionFailed("This session is running already.", remedy="Stop it, or launch another one.")

    def _prepare_session_dir(self, plan: Plan) -> None:
        shutil.rmtree(self.session_dir, ignore_errors=True)
        self.session_dir.mkdir(parents=True)
        # whatever the hub's umask is: the account must reach its generated files, and nothing else
        self.sockets_dir.mkdir()
        self.api_dir.mkdir()
        for folder in (self.api_dir, self.sockets_dir, self.session_dir, self.session_dir.parent):
            folder.chmod(0o755)
        names = host_names(plan.application.egress)
        write_identity_files(self.session_dir / "identity", identity_texts(plan.account, names), plan.timezone)
        self.open_sockets(plan)

    def socket_owner(self, plan: Plan) -> int:
        """Return the uid of the session's programs: other accounts of this machine reach its folder, too."""
        return plan.account.uid if os.geteuid() == 0 else os.geteuid()

    def _kept_process(self) -> ProcessId:
        """Return the process of this session from its file, whatever the hub's database says."""
        try:
            return ProcessId.from_state(json.loads((self.session_dir / "process.json").read_text()))
        except (OSError, ValueError):
            return ProcessId(0, 0.0, "")

    def _environment(self, plan: Plan, listen_fd: int) -> dict[str, str]:
        return self.session_environment(plan) | {
            "PATH": f"{self.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
            "DAAS_LISTEN_FD": str(listen_fd),
        }

    async def _run_sandbox(self, plan: Plan, pinned: tuple[Pinned, ...], storage: AccountStorage) -> None:
        """Build the sandbox, let it run, and watch its end."""
        listener = open_listener(self.session_dir / "http.sock")
        try:
            output = await KeptOutput.start(self.session_dir / OUTPUT_FILE)
            # The kernel waits 10 ms for the first process that it moves into a cgroup, and not for others soon after.
            # It is the keeper: what a session prints is handled at the expense of its own processor time.
            limiting = asyncio.ensure_future(asyncio.to_thread(self._make_group, plan, output.keeper.pid))
            try:
                bubblewrap = await build_sandbox(
                    SandboxLaunch(
                        plan,
                        pinned,
                        argv=partial(self._argv, plan),
                        environment=self._environment(plan, listener.fileno()),
                        listen_fd=listener.fileno(),
                        output=output.writer,
                        apply_limits=partial(self._apply_limits, limiting),
                        on_started=self._save_process,
                        storage=storage,
                    )
                )
            except BaseException:
                # a failed start removes the cgroup, which must not be made meanwhile
                await asyncio.gather(limiting, return_exceptions=True)
                self.log.error("%s: output of bubblewrap: %s", self._log_name, last_output(await output.result()))
                raise
            output.writer.close()
            self.monitor = ProcessId.of(bubblewrap.pid)
        finally:
            listener.close()
        self._watch(bubblewrap, output)

    def _argv(self, plan: Plan, fds: InheritedFds) -> list[str]:
        return sandbox_argv(
            plan,
            fds,
            program=self.session_program(plan),
            identity_files=self.session_dir / "identity",
            api_dir=self.api_dir,
            sockets_dir=self.sockets_dir,
            prefix=Path(self.prefix),
            read_only=[Path(path) for path in self.read_only],
            bwrap=self.bwrap,
        )

    def _save_process(self, init: int) -> None:
        self.process = ProcessId.of(init)
        (self.session_dir / "process.json").write_text(json.dumps(self.process.as_state()))

    def _make_group(self, plan: Plan, pid: int) -> ControlGroup | None:
        """Make the session's cgroup, and move a process into it; return None where that is not possible."""
        group = make_group(self.key, plan.size)
        self._memory_kills, self._memory_kill_at, self._exit_code = 0, 0.0, None
        if group is None:
            self.log.warning(
                "%s: runs without memory, CPU and process limits: this hub cannot create cgroups",
                self._log_name,
            )
        else:
            group.add(pid)
        return group

    async def _apply_limits(self, limiting: asyncio.Future[ControlGroup | None], *pids: int) -> None:
        """Move processes into the session's cgroup, once it is there."""
        # a start that is cancelled still waits for the thread that makes it, to remove it
        group = await asyncio.shield(limiting)
        if group is not None:
            await asyncio.to_thread(group.add, *pids)

    def _watch(self, bubblewrap: asyncio.subprocess.Process, output: KeptOutput) -> None:
        """Notify the hub at once when the session ends by itself, and log the end of its output."""
        over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._over = over

        async def watch() -> None:
            self._exit_code = await bubblewrap.wait()
            text = await output.result()
            over.set_result(failure_in(text))
            self._log_output(text)
            # JupyterHub registers its poll callback only after a start, and has no event for that
            while self._spawn_pending:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            if self.process.pid and not self._stop_pending:
                await self.poll_and_notify()

        self._watcher = asyncio.ensure_future(watch())

    def _log_output(self, output: str) -> None:
        if output:
            self.log.info("%s ended; last output: %s", self._log_name, last_output(output))


def _limits_finding() -> Finding:
    """Check whether this hub can limit the resources of a session."""
    did = "create and remove a cgroup"
    group = make_group(f"doctor-{secrets.token_hex(4)}", Size("doctor", "doctor", 2**30, 1, 100, 1))
    if group is None:
        remedy = "Run the hub as root, let systemd delegate a cgroup to it (Delegate=yes), or use containers."
        return warning(
            "sessions.limits", did, "the hub cannot create cgroups: sessions run without memory and CPU limits", remedy
        )
    group.remove()
    return ok("sessions.limits", did, "memory, CPU and processes can be limited")
