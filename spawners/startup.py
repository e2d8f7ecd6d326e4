"""Refuses a configuration in which no session can start while the hub starts, instead of at somebody's first launch.

JupyterHub builds no spawner before one is needed, and has no hook for a spawner class. But it loads the chosen class
when it reads its configuration, by the entry point or from the file itself: `daas_hub.spawners.<backend>` hands it out
and asks for the check, which runs when the hub opens its database. Then the configuration is complete, and nobody can
sign in yet. So it works in any hub, whatever its authenticator and its proxy are.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.app import JupyterHub
from traitlets import TraitError

from daas_hub.audit.events import open_audit
from daas_hub.hub_log import use_hub_log
from daas_hub.spawners.reconcile import Reconciler
from daas_hub.spawners.session_counts import publish_sessions

#: A loop does not keep its tasks.
_tasks: set[asyncio.Task[None]] = set()

#: JupyterHub's trait that is set when the database is opened.
_OPENED = "session_factory"


def check_when_hub_starts() -> None:
    """Check the spawner class of the hub that is starting in this process; do nothing without one (commands)."""
    if JupyterHub.initialized():
        JupyterHub.instance().observe(_refuse_to_start, _OPENED)


def _refuse_to_start(change: Any) -> None:
    """End the hub, with a sentence for each problem, if its spawner class has `startup_problems`."""
    hub = change["owner"]
    hub.unobserve(_refuse_to_start, _OPENED)
    use_hub_log(hub.log)
    startup_problems = getattr(hub.spawner_class, "startup_problems", None)
    try:
        problems = startup_problems(hub.config) if startup_problems else []
        sentences = [f"{one.message.rstrip('.')}. {one.remedy}" for one in problems]
    except TraitError as error:
        sentences = [str(error)]
    for sentence in sentences:
        hub.log.critical("%s", sentence)
    if sentences:
        hub.exit(1)
    publish_sessions(hub)
    open_audit(hub.config, hub.eventlog)
    backends = hub.spawner_class.backends(hub.config) if hasattr(hub.spawner_class, "backends") else []
    for settings in backends:
        # after the hub has read its sessions from the database (see `Reconciler.run`)
        task = asyncio.get_running_loop().create_task(Reconciler(hub, settings).run())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
