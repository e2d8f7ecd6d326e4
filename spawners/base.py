"""What all spawners share: authorise every start, report its progress, and fail with a reason.

A backend implements three methods: `start_session`, `poll` and `stop`. A `poll` that raises means that the state is
unknown, never that the session ended (`state_unknown`).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any, ClassVar

from jupyterhub.spawner import SpawnException
from jupyterhub.utils import url_escape_path, url_path_join
from traitlets import Any as AnyTrait
from traitlets import Bool, Unicode, default
from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.accounts.hub_user import withheld_roles
from daas_hub.admission.hub import Admission
from daas_hub.admission.model import demand_of
from daas_hub.admission.quota import OverQuota
from daas_hub.errors import DaasError, Refused, SessionFailed
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked
from daas_hub.launch import LaunchRequest, Plan
from daas_hub.launch_login import LaunchLogin
from daas_hub.launch_watch import LaunchWatch, record_end, record_extension
from daas_hub.notices import NoticeBoard
from daas_hub.policy import Lifetimes
from daas_hub.spawners.interrupted_start import notes_interruption
from daas_hub.spawners.readiness import no_answer
from daas_hub.spawners.session_address import SessionAddressMixin
from daas_hub.spawners.session_document import DesktopPage, SessionDocumentMixin
from daas_hub.spawners.session_hosts import session_host, session_url
from daas_hub.spawners.session_lifetime import SessionLifetimeMixin
from daas_hub.spawners.session_memory import SessionMemoryMixin
from daas_hub.spawners.start_progress import StartProgressMixin
from daas_hub.spawners.startup import check_when_hub_starts
from daas_hub.spawners.state_unknown import never_raises
from daas_hub.spawners.stock import OWN_VARIABLES, SPAWNER_SETTINGS, require_working, setting_problems
from daas_hub.spawners.stock_hooks import StockHooksMixin
from daas_hub.stock_settings import StockSettings

#: Added to a failure that the account's home caused.
WITHOUT_THE_HOME = "Until then, you can launch with a temporary home."
#: Shown after a start that took too long, or was interrupted.
START_TIMED_OUT = "It did not start in time. Please launch again; if the problem persists, contact the administrators."


class ProposalSessionMixin(
    SessionDocumentMixin,
    StartProgressMixin,
    SessionAddressMixin,
    SessionLifetimeMixin,
    SessionMemoryMixin,
    StockHooksMixin,
):
    """First base of the spawners of this project; the second is a Spawner class."""

    #: Which settings of its Spawner class a backend honours, and which it refuses.
    stock_settings: ClassVar[StockSettings] = SPAWNER_SETTINGS
    #: Environment variables that a session of this backend sets itself.
    own_variables: ClassVar[frozenset[str]] = OWN_VARIABLES

    host_for_each_session = Bool(
        True,
        help="""
        Whether each session has a host name of its own, where `JupyterHub.subdomain_host` is set.

        False serves all sessions of a user under the name that `JupyterHub.subdomain_hook` returns: `sessions.` before
        the portal's host name by default. Then one more DNS record is enough, and pages of one session can act in the
        user's other sessions.
        """,
    ).tag(config=True)

    place = Unicode(
        "",
        config=True,
        help="""
        Name of the place that this backend is. Set from `Places.places`; do not set it yourself.
        """,
    )

    #: The plan of the current start: `authorise_start` sets it, and `start` takes it.
    plan: Plan | None = AnyTrait(None, allow_none=True)  # type: ignore[assignment]

    #: Why the session ended, and a warning while it runs, worded for its owner; "" for none.
    ending = ""
    notice = ""
    #: What its card says of directories that are almost full, as the session reported them; "" for none.
    disk_notice = ""

    #: Whether its latest start passed the limit of its owner's sessions; None if this hub has not decided about one.
    is_counted: bool | None = None

    #: Why its last start failed, worded for its owner; "" if it did not.
    failure = ""
    #: Whether the account's home was the cause, so that a temporary home is offered.
    failed_at_home = False
    #: Whether it was beyond a limit, so that the page *Your use and limits* is linked.
    failed_at_limits = False

    #: Signs the browser that launched in at its session; None where it signs in at the hub.
    launch_login: LaunchLogin | None = None
    #: The same for its browser, until that is sent on; None when it was, or for too long.
    kept_login: Any = None

    #: For the page of a desktop that the portal shows while its session starts; None for a notebook.
    desktop_page: DesktopPage | None = None

    _limiting: asyncio.Future[None] | None = None

    #: The launch in progress, or the last one; None before the first.
    launching: LaunchWatch | None = None
    #: The reference of the last launch, for its page and its session; "" before the first.
    reference = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        host = self.user is not None and session_host(self.user, self.name, one_each=self.host_for_each_session)
        if host:
            self.proxy_spec = host + url_path_join(self.user.base_url, url_escape_path(self.name), "/")

    # -- what a backend implements ------------------------------------------------------------------------------

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Guard `poll`, and reject a class without `start_session`, as JupyterHub does for `poll` and `stop`."""
        super().__init_subclass__(**kwargs)
        if cls.start_session is ProposalSessionMixin.start_session:
            raise TypeError(f"{cls.__name__} has no start_session")
        if (poll := getattr(cls, "poll", None)) is not None and never_raises(poll) is not poll:
            cls.poll = never_raises(notes_interruption(poll))
        # a subclass that the configuration file itself defines
        check_when_hub_starts()

    @abstractmethod
    async def start_session(self, plan: Plan) -> str:
        """Start the session and return its URL. A failure is a `DaasError` worded for the user."""

    def require_startable(self) -> None:
        """Refuse a start that the backend's state does not permit.

        Raises:
            DaasError: worded for the user.
        """

    async def prepare(self, plan: Plan) -> bool:
        """Do what a start needs and what may take minutes (pull an image); return whether it took that time.

        It runs before `start_timeout` begins.
        """
        return False

    @classmethod
    def startup_problems(cls, config: Config) -> list[DaasError]:
        """Return the settings with which no session can start; the hub refuses to start with them.

        It is called once while the hub starts (see `startup`), and by `daas-hub check-config`. A backend adds checks
        that are quick and need no network.
        """
        conflicts = Lifetimes(config=config).conflicts()
        return [*setting_problems(cls, config, cls.stock_settings, cls.own_variables), *conflicts]

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Return the problems of a configuration with this backend, for `daas-hub check-config`."""
        return cls.startup_problems(config)

    @classmethod
    def backends(cls, config: Config) -> list[Any]:
        """Return a spawner without a user for each backend of a hub with this class; each is reconciled by itself."""
        return [cls(config=config)] if hasattr(cls, "list_running") else []

    @classmethod
    async def examine(cls, config: Config, facility: Facility, plan: Plan | None) -> list[Finding]:
        """Check whether this backend can run sessions, for `daas-hub doctor`.

        Args:
            plan: a launch to try, with its directories opened; None tries none.
        """
        return [not_checked("sessions.backend", f"check {cls.__name__}", "this spawner has no checks")]

    # -- a start ------------------------------------------------------------------------------------------------

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Any:
        return type(self).authorise_start

    @default("options_from_form")
    def _options_from_form_default(self) -> Any:
        """Return a function that reads the portal's form fields, for a hub that shows an `options_form`."""
        return lambda form: LaunchRequest.from_form(
            {name: values[0] for name, values in form.items()}, form.get("visits", ())
        ).as_json()

    async def authorise_start(self, options: Any) -> None:
        """Decide the plan of this start: parse the options, query the facility, and refuse with a reason.

        JupyterHub calls this before every `start`: for the portal's form, for JSON posted to its API, and for options
        stored by an earlier start.
        """
        self.plan = None
        self.ending = self.notice = self.failure = ""
        self.memory_used_up = 0
        self.disk_notice = ""
        self.failed_at_home = self.failed_at_limits = False
        self.is_counted = False
        self.clear_steps()
        self.report_progress("Checking your account and your proposals")
        self.launching = LaunchWatch(self.user.name, self.name)
        self.launching.follow(self._spawn_future)
        self.reference = self.launching.reference
        self.launching.enter("authorise")
        try:
            require_working(self, self.stock_settings, self.own_variables)
            self._require_post()
            self._require_open()
            self._require_quota()
            self.require_startable()
            request = LaunchRequest.from_json(options)
            self.launching.requested(request)
            plan = self._admitted(await self._authorised(request))
            self.launching.planned(plan)
            with self.launching.stage("prepare"):
                took_long = await self.prepare(plan)
            if took_long:
                # the answer may have changed in these minutes
                plan = self._admitted(await self._authorised(request))
            self.plan = plan
        except DaasError as refusal:
            # JupyterHub has stored the options: a later start must not reuse refused ones
            self.user_options: dict[str, Any] = {}
            if self.orm_spawner is not None:
                self.orm_spawner.user_options = {}
            raise self._keep_failure(refusal, 403 if refusal.for_user else 500) from refusal
        self.launching.enter("")

    async def start(self) -> str:
        """Start the plan that was authorised for this start, and nothing else."""
        plan, self.plan = self.plan, None
        if plan is None:
            raise SpawnException("This launch was not authorised.", reason="refused", status_code=403)
        self.begin_lifetime(plan)
        self.desktop_page = self.page_of_desktop(plan)
        if self.launching is not None:
            self.launching.enter("start")
        try:
            self._register_callback()
            # once more: `pre_spawn_hook` has run meanwhile
            require_working(self, self.stock_settings, self.own_variables)
            url = await self.start_session(plan)
        except asyncio.CancelledError:
            self.failure = START_TIMED_OUT
            raise
        except DaasError as problem:
            for note in filter(None, (problem.detail, *getattr(problem, "__notes__", []))):
                self.log.error("%s: %s (%s)", self._log_name, problem.message, note)
            raise self._keep_failure(problem, 500) from problem
        if self.launching is not None:
            self.launching.enter("respond")
        if self._limiting is not None:
            self._limiting.cancel()
        self._limiting = asyncio.ensure_future(self._limit_wait())
        return url

    async def _limit_wait(self) -> None:
        """Stop a session that accepts the hub's connection and does not respond.

        JupyterHub looks at `http_timeout` between its requests only, and its client waits for each up to five minutes.
        """
        # JupyterHub itself gives up between 0.9 and 1.1 of it
        await asyncio.sleep(1.1 * self.http_timeout + 1)
        if self._waiting_for_response:
            problem = no_answer(self.http_timeout)
            self.log.error("%s: %s", self._log_name, problem.message)
            self._keep_failure(problem, 500)
            try:
                # the connection breaks with it, and JupyterHub's wait ends
                await self.stop()
            except DaasError as failed:
                self.log.error("%s: %s", self._log_name, failed)

    @property
    def session_url(self) -> str:
        """The address of the session in a browser; a path where it shares the portal's host name."""
        return session_url(self.user, self.name, one_each=self.host_for_each_session)

    def _register_callback(self) -> None:
        """Register the callback on the session's host name; the hub registered the one on the user's."""
        client = self.orm_spawner.oauth_client if self.orm_spawner is not None else None
        if client is not None and client.redirect_uri != f"{self.session_url}oauth_callback":
            client.redirect_uri = f"{self.session_url}oauth_callback"
            self.db.commit()

    def _require_post(self) -> None:
        """Refuse a start by GET, as of JupyterHub's spawn page: another site could make a browser follow a link."""
        if self.handler is not None and self.handler.request.method == "GET":
            raise Refused("A link does not start a session.", remedy="Start it with the button of a form.")

    def _require_quota(self) -> None:
        """Refuse a start above the limit per person, and the default server, which has no name and no page."""
        if not self.name:
            raise Refused("A session needs a name.", remedy="Launch it from the portal's pages.")
        limit = Facility.of(self.config).sessions_per_person
        others = [
            one
            for name, one in self.user.spawners.items()
            if name != self.name and one.active and one.is_among_sessions
        ]
        if len(others) >= limit:
            raise OverQuota(f"You have {len(others)} sessions, and {limit} is the limit.", remedy="Stop one first.")
        self.is_counted = True

    @property
    def is_among_sessions(self) -> bool:
        """Whether this server, which is active, counts; of several launches at once the first ones do."""
        if self.is_counted is None:
            # it runs since before the hub was started, or its launch is not decided yet
            return self.pending != "spawn"
        return self.is_counted

    def _require_open(self) -> None:
        """Refuse a start during a maintenance."""
        if (board := NoticeBoard.of(self.db)) is not None:
            board.require_open(Facility.of(self.config).zone)

    async def _authorised(self, request: LaunchRequest) -> Plan:
        return await Facility.of(self.config).authorise(
            await self._identity(), request, withheld=withheld_roles(self.user)
        )

    def _admitted(self, plan: Plan) -> Plan:
        """Let the session have its resources, or refuse it: the quota is used up, or there is no room."""
        if (admission := Admission.current()) is not None:
            admission.admit(demand_of(plan, self.user.name, self.name))
        return plan

    async def _identity(self) -> Identity:
        facility = Facility.of(self.config)
        identity = await facility.identity_of_user(self.user)
        if identity is not None:
            return identity
        if facility.identity_of is not None:
            raise Refused("The facility does not know your login.", remedy="Please tell the administrators.")
        raise SessionFailed("Your login is no longer known.", remedy="Please sign out and in again.")

    def _keep_failure(self, problem: DaasError, status: int) -> SpawnException:
        """Keep why the start failed, also over a restart of the hub, and return what JupyterHub reports."""
        if self.launching is not None:
            self.launching.failed(problem)
        exception = self._as_spawn_exception(problem, status)
        self.failure = exception.jupyterhub_message
        self.failed_at_home = problem.is_about_home
        self.failed_at_limits = problem.is_about_limits
        return exception

    @staticmethod
    def _as_spawn_exception(problem: DaasError, status: int) -> SpawnException:
        words = f"{problem} {WITHOUT_THE_HOME}" if problem.is_about_home else str(problem)
        text = words if problem.for_user else "The portal is misconfigured. Please tell the administrators."
        exception = SpawnException(text, reason=problem.reason, log_message=str(problem), status_code=status)
        exception.jupyterhub_message = text
        return exception

    # -- the end ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what must survive a restart of the hub: when this session ends, or why it ended."""
        state: dict[str, Any] = super().get_state()
        state |= self.lifetime_state() | self.memory_state()
        # after an end JupyterHub creates a new spawner from this state
        if self.ending:
            state["ending"] = self.ending
        if self.failure:
            state["failure"] = self.failure
        if self.failed_at_home:
            state["failed_at_home"] = True
        if self.failed_at_limits:
            state["failed_at_limits"] = True
        if self.reference:
            state["reference"] = self.reference
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        super().load_state(state)
        self.load_lifetime(state)
        self.load_memory(state)
        self.ending = str(state.get("ending", ""))
        self.failure = str(state.get("failure", ""))
        self.failed_at_home = state.get("failed_at_home") is True
        self.failed_at_limits = state.get("failed_at_limits") is True
        self.reference = str(state.get("reference", ""))

    def clear_state(self) -> None:
        """Forget the session, but not why it ended or failed: its card shows that until it is removed."""
        super().clear_state()
        if self._stop_pending and self.ends and (self.launching is None or self.launching.is_started):
            record_end(self)
        if self._waiting_for_response and not self.failure and not getattr(self, "stop_wanted", False):
            # the hub gives up waiting; whoever presses Stop does not
            self.failure = START_TIMED_OUT
        self.forget_lifetime()
        self.is_counted = False
        self.notice = self.disk_notice = ""

    def extend(self) -> bool:
        """Extend the time limit once; return whether it was possible."""
        before = self.ends
        is_extended = super().extend()
        if is_extended:
            if (admission := Admission.current()) is not None:
                admission.gate.extend((self.user.name, self.name), self.ends - before)
            record_extension(self)
        return is_extended

    def require_extension(self, until: float) -> None:
        """Check whether quotas and reservations allow that it lasts until then."""
        if (admission := Admission.current()) is not None:
            admission.gate.require_extension((self.user.name, self.name), until, until - self.ends)
