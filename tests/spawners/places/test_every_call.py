"""Every attribute of a spawner has a rule: passed on to the place, kept once for both, or the outer spawner's own.

The lists are compared with the installed JupyterHub: what a later release adds has no rule, and the test fails.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import pytest
from jupyterhub.spawner import Spawner
from traitlets import Int
from traitlets.config import Config, LoggingConfigurable

from daas_hub.lifetime import Limits
from daas_hub.spawners.base import ProposalSessionMixin
from daas_hub.spawners.docker.spawner import ProposalDockerSpawner
from daas_hub.spawners.places.delegation import DELEGATED
from daas_hub.spawners.places.inner_spawner import GIVEN, HUB_STATE, LINKED, SESSION_STATE, inner_spawner
from daas_hub.spawners.places.spawner import PlacesSpawner
from daas_hub.spawners.sandbox.spawner import SandboxSpawner
from daas_hub.spawners.session_document import SessionDocumentMixin
from daas_hub.spawners.session_lifetime import Lifetime, SessionLifetimeMixin
from daas_hub.spawners.session_memory import SessionMemoryMixin
from daas_hub.spawners.start_progress import StartProgressMixin
from daas_hub.spawners.stock import SPAWNER_SETTINGS
from daas_hub.stock_settings import inherited_settings

#: Passed on by methods of their own, which do more than that.
WITH_MORE = {
    "clear_state", "get_state", "load_state", "poll", "prepare", "require_startable", "run_auth_state_hook", "server",
    "start_session", "stop", "will_resume",
}  # fmt: skip

#: Works on the outer spawner as it is: it reads what is kept there, or calls what is passed on.
OWN = {
    # of JupyterHub
    "_apply_overrides", "_apply_user_options_dict", "_callbacks", "_default_access_scopes", "_default_ssl_alt_names",
    "_deprecate_percent_u", "_deprecated_db", "_failed", "_generate_progress", "_get_oauth_client_allowed_scopes",
    "_log_name", "_options_from_form", "_orm_spawner_changed", "_passthrough_options_from_form", "_poll_callback",
    "_progress_url", "_run_apply_user_options", "_server", "_simple_options_from_form", "_strip_ipv6",
    "_validate_options_from_form", "active", "add_poll_callback", "apply_group_overrides", "db", "death_interval",
    "display_name", "env", "get_options_form", "last_activity", "name", "oauth_access_scopes", "oauth_scopes",
    "options_from_query", "pending", "poll_and_notify", "progress", "ready", "run_options_from_form", "start",
    "start_polling", "stop_polling", "wait_for_death",
    # of ProposalSessionMixin
    "_admitted",
    "_apply_user_options_default", "_as_spawn_exception", "_authorised", "_belongs_to", "_identity", "_keep_failure",
    "_limit_wait",
    "_options_from_form_default", "_register_callback", "_require_open", "_require_post", "_require_quota",
    "is_among_sessions",
    "authorise_start", "backends", "clear_steps", "configuration_problems", "disk_limits", "early_address",
    "examine",
    "host_for_each_session", "icon_inside", "own_variables", "page_of_desktop", "place", "plan", "report_accepting",
    "report_progress",
    "session_document", "session_program", "session_url", "startup_problems", "steps", "stock_settings",
    "wait_accepting",
    # of SessionLifetimeMixin
    "_by_its_limits", "_extended", "_known_use", "_max_extensions", "_store_lifetime", "begin_lifetime", "can_extend",
    "can_keep", "end_notice", "extend", "extension_refusal", "forget_lifetime", "is_over", "keep", "lifetime_answer",
    "lifetime_state", "load_lifetime", "require_extension",
    "note_end", "note_use", "outlook", "own_end_words",
    # of SessionMemoryMixin
    "load_memory", "memory_notice", "memory_state", "note_memory_end", "time_of_day",
}  # fmt: skip

#: What pages, the reconciler and the authenticator read of a session; the spawners of a backend have it.
READ_ELSEWHERE = {"is_unknown", "place", "session_url", "steps", "stop_notice", "stop_wanted", "unknown_notice"}


def names_of(cls: type) -> set[str]:
    """Return what a class defines, without what Python and traitlets need."""
    machinery = {"__init__", "_all_trait_default_generators", "_descriptors", "_instance_inits", "_traits"}
    machinery |= {"_static_immutable_initial_values", "_trait_default_generators", "_abc_impl", "__abstractmethods__"}
    found = set(vars(cls)) - machinery - set(vars(LoggingConfigurable))
    return {name for name in found if not name.startswith("__")}


#: What the spawners of this project have.
ALL_NAMES = names_of(Spawner).union(
    *map(
        names_of,
        (ProposalSessionMixin, SessionDocumentMixin, SessionLifetimeMixin, SessionMemoryMixin, StartProgressMixin),
    )
)


def test_every_attribute_has_one_rule() -> None:
    rules = [set(DELEGATED), WITH_MORE, HUB_STATE, SESSION_STATE, LINKED, set(GIVEN), OWN]
    rules.append({*SPAWNER_SETTINGS.honoured, *SPAWNER_SETTINGS.refused})
    assert sorted(ALL_NAMES - set().union(*rules)) == []
    twice = [one for one in ALL_NAMES if sum(one in rule for rule in rules) > 1]
    # it is given to a new spawner, and an own setting of the outer one
    assert twice == ["host_for_each_session"]


def test_rules_are_about_what_exists() -> None:
    assert sorted((OWN | set(DELEGATED) | HUB_STATE | LINKED | set(GIVEN)) - ALL_NAMES) == []
    assert all(hasattr(PlacesSpawner, one) for one in READ_ELSEWHERE)


def test_settings_are_declared() -> None:
    assert PlacesSpawner.stock_settings.mismatches(PlacesSpawner) == []


class Recorder(ProposalSessionMixin, Spawner):
    """A backend that remembers its calls."""

    calls: ClassVar[list[str]] = []

    async def start_session(self, plan: Any) -> str:
        raise AssertionError("nothing is started here")

    async def poll(self) -> int | None:
        self.calls.append("poll")
        return 7

    async def stop(self, now: bool = False) -> None:
        self.calls.append(f"stop {now}")


for _name in DELEGATED:
    setattr(Recorder, _name, lambda self, *args, _name=_name, **kwargs: self.calls.append(_name) or (args, kwargs))


@pytest.fixture
def outer() -> PlacesSpawner:
    """An outer spawner with a session in a place."""
    config = Config()
    Recorder.calls.clear()
    made = PlacesSpawner(config=config)
    made.inner = inner_spawner(made, Recorder, config)
    return made


@pytest.mark.parametrize("name", DELEGATED)
def test_passed_on_with_its_arguments(outer: PlacesSpawner, name: str) -> None:
    assert getattr(outer, name)("one", other=2) == (("one",), {"other": 2})
    assert Recorder.calls == [name]


async def test_polls_and_stops_are_the_places(outer: PlacesSpawner) -> None:
    assert await outer.poll() == 7
    await outer.stop(now=True)
    assert Recorder.calls == ["poll", "stop True"]


@pytest.mark.parametrize("name", sorted(HUB_STATE | SESSION_STATE))
def test_state_is_kept_once(outer: PlacesSpawner, name: str) -> None:
    setattr(outer, name, "from the hub")
    assert getattr(outer.inner, name) == "from the hub"
    setattr(outer.inner, name, "from the backend")
    assert getattr(outer, name) == "from the backend"


@pytest.mark.parametrize("name", sorted(LINKED - {"orm_spawner"}))
def test_traits_have_one_value(outer: PlacesSpawner, name: str) -> None:
    value: Any = {"user_options": {"a": 1}, "cert_paths": {"a": "b"}, "admin_access": True}.get(name, "x")
    setattr(outer, name, value)
    assert getattr(outer.inner, name) == value
    other: Any = {"user_options": {"a": 2}, "cert_paths": {}, "admin_access": False}.get(name, "y")
    setattr(outer.inner, name, other)
    assert getattr(outer, name) == other


async def test_the_hub_is_notified_by_the_outer_spawner(outer: PlacesSpawner) -> None:
    """A backend that sees an end calls its own `poll_and_notify`; the hub's callbacks are elsewhere."""
    ended = []
    outer.add_poll_callback(lambda: ended.append("ended"))
    assert await outer.inner.poll_and_notify() == 7
    assert ended == ["ended"]


def test_steps_are_those_of_the_whole_start(outer: PlacesSpawner) -> None:
    outer.report_progress("Checking your account")
    outer.inner.clear_steps()
    outer.inner.report_progress("Opening your directories")
    assert outer.steps == ("Checking your account", "Opening your directories")


def test_the_class_inside_is_configured_as_its_base(outer: PlacesSpawner) -> None:
    """By its name, and it is checked as that: no trait of it counts as inherited from somebody else."""

    class OfAnAdministrator(SandboxSpawner):
        licences = Int(3, config=True)

    for backend in (SandboxSpawner, ProposalDockerSpawner, OfAnAdministrator):
        inside = type(inner_spawner(outer, backend, Config({backend.__name__: {"start_timeout": 3}})))
        assert (inside.__name__, inside.__module__) == (backend.__name__, backend.__module__)
        assert inherited_settings(inside) == inherited_settings(backend)
        assert inner_spawner(outer, backend, Config({backend.__name__: {"start_timeout": 3}})).start_timeout == 3


def test_asynchronous_calls_stay_so() -> None:
    """The hub awaits some of them without asking."""
    for name in DELEGATED:
        if inspect.iscoroutinefunction(getattr(Spawner, name)):
            assert getattr(PlacesSpawner, name).__wrapped__ is getattr(Spawner, name)


def test_the_life_of_a_session_is_kept_once(outer: PlacesSpawner) -> None:
    outer.lifetime = Lifetime(Limits(idle_s=60), started=1000.0)
    assert outer.inner.lifetime is outer.lifetime
    outer.inner.note_use(30, 20)
    assert outer.lifetime.use is not None
    outer.inner.ends = 5.0
    assert outer.is_over()
    outer.inner.forget_lifetime()
    assert (outer.ends, outer.lifetime) == (0.0, Lifetime())
