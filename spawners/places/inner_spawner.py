"""A backend's spawner inside `PlacesSpawner`: what the hub keeps about a session is kept once, on the outer one.

The hub knows only the outer spawner: it marks a start or a stop as pending there, and registers its callbacks. The
backend reads and writes the same attributes as ever; here they lead to the outer one.
"""

from __future__ import annotations

import functools
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import link

#: Attributes of JupyterHub's Spawner that the hub sets and backends read, or the other way round.
HUB_STATE = frozenset(
    {
        "_check_pending", "_jupyterhub_version", "_proxy_pending", "_rename_pending", "_spawn_future", "_spawn_pending",
        "_start_pending", "_stop_pending", "_waiting_for_response",
    }
)  # fmt: skip

#: The same of ProposalSessionMixin: pages and the reconciler read them.
SESSION_STATE = frozenset(
    {
        "_limiting",
        "desktop_page",
        "disk_notice",
        "ending",
        "ends",
        "failed_at_home",
        "failed_at_limits",
        "failure",
        "is_counted",
        "kept_login",
        "launch_login",
        "launching",
        "lifetime",
        "memory_used_up",
        "notice",
        "reference",
    }
)

#: Traits that have one value for both.
LINKED = frozenset({"admin_access", "api_token", "cert_paths", "handler", "orm_spawner", "user_options"})

#: Traits that the hub gives to a new spawner.
GIVEN = (
    "_deprecated_db_session", "authenticator", "cookie_host_prefix_enabled", "cookie_options",
    "host_for_each_session", "hub", "internal_certs_location", "internal_ssl", "internal_trust_bundles",
    "oauth_client_id", "proxy_spec", "public_hub_url", "public_url", "trusted_alt_names", "user",
)  # fmt: skip


def inner_spawner(outer: Any, spawner_class: Any, config: Any) -> Any:
    """Return a spawner of this class for the session of `outer`."""
    given = {name: getattr(outer, name) for name in GIVEN if outer.trait_has_value(name)}
    given |= {name: getattr(outer, name) for name in LINKED if outer.trait_has_value(name)}
    inner = _class_inside(spawner_class)(outer_spawner=outer, config=config, **given)
    inner.outer_links = [link((outer, name), (inner, name)) for name in sorted(LINKED)]
    return inner


def leave(inner: Any) -> None:
    """Separate a spawner from its outer one: another place takes over."""
    for one in inner.outer_links:
        one.unlink()
    inner.outer_links = []


@functools.cache
def _class_inside(spawner_class: Any) -> Any:
    """Return a subclass whose state is on the outer spawner.

    It has the name and the module of its base: it is configured, and checked, as that.
    """
    members: dict[str, Any] = {name: _on_outer(name) for name in HUB_STATE | SESSION_STATE}
    members |= {
        "__module__": spawner_class.__module__,
        "__qualname__": spawner_class.__qualname__,
        "__doc__": spawner_class.__doc__,
        "outer_spawner": AnyTrait(),
        "outer_links": [],
        "clear_steps": _clear_no_steps,
        "report_progress": _report_progress,
        "report_accepting": _report_accepting,
        "poll_and_notify": _poll_and_notify,
    }
    return type(spawner_class)(spawner_class.__name__, (spawner_class,), members)


def _on_outer(name: str) -> property:
    def get(inner: Any) -> Any:
        return getattr(inner.outer_spawner, name)

    def change(inner: Any, value: Any) -> None:
        setattr(inner.outer_spawner, name, value)

    return property(get, change)


def _clear_no_steps(inner: Any) -> None:
    """Leave the steps: they are those of the whole start."""


def _report_progress(inner: Any, step: str) -> None:
    """Report a step where the pages read it."""
    inner.outer_spawner.report_progress(step)


def _report_accepting(inner: Any, address: str) -> None:
    """Report it where the launch waits for it."""
    inner.outer_spawner.report_accepting(address)


async def _poll_and_notify(inner: Any) -> int | None:
    """Notify the hub, which has registered its callbacks on the outer spawner."""
    status: int | None = await inner.outer_spawner.poll_and_notify()
    return status
