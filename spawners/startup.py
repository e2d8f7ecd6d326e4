"""Refuses a configuration in which no session can start while the hub starts, instead of at somebody's first launch.

JupyterHub builds no spawner before one is needed, and has no hook for a spawner class. But it loads the chosen class
when it reads its configuration, by the entry point or from the file itself: `daas_hub.spawners.<backend>` hands it out
and asks for the check, which runs when the hub opens its database. Then the configuration is complete, and nobody can
sign in yet. So it works in any hub, whatever its authenticator and its proxy are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Sequence
from typing import Any

from jupyterhub.app import JupyterHub
from traitlets import TraitError

from daas_hub.admission.hub import Admission, require_valid
from daas_hub.audit.events import open_audit
from daas_hub.database.one_hub import HubLock, lock_of, wait_for
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.hub_log import use_hub_log
from daas_hub.renamed_settings import renamed_settings
from daas_hub.spawners.reconcile import Reconciler
from daas_hub.spawners.runtime_dir import session_key
from daas_hub.spawners.session_counts import publish_queue, publish_sessions, publish_stops
from daas_hub.tables import upgrade_tables

#: A loop does not keep its tasks.
_tasks: set[asyncio.Task[None]] = set()

#: JupyterHub's trait that is set when the database is opened.
_OPENED = "session_factory"


def check_when_hub_starts() -> None:
    """Check the spawner class of the hub that is starting in this process; do nothing without one (commands)."""
    if JupyterHub.initialized():
        JupyterHub.instance().observe(_refuse_to_start, _OPENED)


def _sentence(problem: DaasError) -> str:
    return f"{problem.message.rstrip('.')}. {problem.remedy}"


def _refuse_to_start(change: Any) -> None:
    """End the hub, with a sentence for each problem, if its spawner class has `startup_problems`."""
    hub = change["owner"]
    hub.unobserve(_refuse_to_start, _OPENED)
    use_hub_log(hub.log)
    startup_problems = getattr(hub.spawner_class, "startup_problems", None)
    lock = lock_of(change["new"].kw["bind"])
    try:
        problems = [*renamed_settings(hub.config), *(startup_problems(hub.config) if startup_problems else [])]
        if not problems:
            require_valid(hub.config)
            _require_only_hub(lock)
            upgrade_tables(change["new"].kw["bind"])
        sentences = [_sentence(one) for one in problems]
    except ConfigurationError as error:
        sentences = [_sentence(error)]
    except TraitError as error:
        sentences = [str(error)]
    for sentence in sentences:
        hub.log.critical("%s", sentence)
    if sentences:
        hub.exit(1)
    if lock is not None:
        _keep_running(_remain_only_hub(hub, lock))
    publish_sessions(hub)
    publish_queue(hub)
    open_audit(hub.config, hub.eventlog)
    backends = hub.spawner_class.backends(hub.config) if hasattr(hub.spawner_class, "backends") else []
    publish_stops(hub, [one.records for one in backends])
    _begin_admission(hub, backends)
    reconcilers = [Reconciler(hub, settings) for settings in backends]
    # for the API of operators (`daas_hub.portal.unknown_sessions`)
    hub.tornado_settings["daas_reconcilers"] = reconcilers
    for one in reconcilers:
        # after the hub has read its sessions from the database (see `Reconciler.run`)
        _keep_running(one.run())


def _require_only_hub(lock: HubLock | None) -> None:
    """Wait for the end of an earlier hub.

    Raises:
        ConfigurationError: another hub runs on this hub's database.
    """
    if lock is not None and not wait_for(lock):
        raise ConfigurationError(
            "JupyterHub.db_url",
            "(not shown)",
            "is the database of another hub that runs",
            remedy="Stop that hub, or give this one a database of its own.",
        )


async def _remain_only_hub(hub: Any, lock: HubLock) -> None:
    """End this hub when another one has taken over its database, as after its machine was cut off for a while."""
    await lock.keep()
    hub.log.critical("Another hub has taken over this hub's database. This one ends; sessions continue.")
    # at once, as if it were killed: an orderly end may stop sessions, which are the other hub's now
    os._exit(1)


def _begin_admission(hub: Any, backends: Sequence[Any]) -> None:
    """Let starts be admitted, and what ended sessions had be given back (see `daas_hub.admission`)."""
    records = [one.records for one in backends]
    asks = {getattr(one, "place", ""): one.backend_capacity for one in backends}
    Admission.register(hub, lambda key: any(one.get(session_key(*key)) is not None for one in records), asks)
    _keep_running(Admission.run(hub))


def _keep_running(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
