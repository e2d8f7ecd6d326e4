"""JupyterHub configuration of `benchmarks.budget`: the demo's, with functions of the hub wrapped to note their times.

The product has no time stamps of its own. Each call of a wrapped function is a line of JSON in the file that
BENCH_STAMPS names: the step, when it began and when it ended, on the machine's clock.
"""

import functools
import inspect
import json
import os
import time
from importlib import import_module

from traitlets.config import get_config

c = get_config()
load_subconfig(os.environ["BENCH_CONFIG"])  # noqa: F821  # JupyterHub provides it

_SANDBOX = "daas_hub.spawners.sandbox.spawner"
STEPS = {
    "daas_hub.portal.launches:LaunchHandler.post": "the form, until the browser is sent on",
    "daas_hub.portal.launches:LaunchHandler.refresh_auth": "login verified again",
    "jupyterhub.user:User.get_or_create_spawner": "record of the session",
    "daas_hub.spawners.base:ProposalSessionMixin.authorise_start": "account, proposals, plan",
    "daas_hub.storage:AccountStorage.pin": "directories opened",
    f"{_SANDBOX}:SandboxSpawner._prepare_session_dir": "session's own directory",
    f"{_SANDBOX}:build_sandbox": "sandbox built, compared, let go",
    f"{_SANDBOX}:SandboxSpawner._apply_limits": "control group",
    "daas_hub.portal.launches:route_early": "route for the browser",
    f"{_SANDBOX}:require_answer": "session's server and screen are up",
    "jupyterhub.user:User._wait_up": "the hub's own look at the session",
    "jupyterhub.proxy:Proxy.add_user": "the hub's own route",
    "daas_hub.portal.hub_pages:ConsentHandler.get": "sign-in: authorize",
    "jupyterhub.apihandlers.auth:OAuthTokenHandler.post": "sign-in: token",
    "jupyterhub.apihandlers.users:SelfAPIHandler.get": "sign-in: user",
    "sqlalchemy.orm:Session.commit": "commit",
}
_stamps = open(os.environ["BENCH_STAMPS"], "a", buffering=1)  # noqa: SIM115  # as long as the hub


def _stamped(function, step):
    def note(began):
        _stamps.write(json.dumps([step, began, time.time()]) + "\n")

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args, **kwargs):
            began = time.time()
            try:
                return await function(*args, **kwargs)
            finally:
                note(began)

        return coroutine

    @functools.wraps(function)
    def plain(*args, **kwargs):
        began = time.time()
        result = function(*args, **kwargs)
        if not inspect.isawaitable(result):
            note(began)
            return result
        return _awaited(result, note, began)

    return plain


async def _awaited(result, note, began):
    """Wait for what a decorated coroutine function returned."""
    try:
        return await result
    finally:
        note(began)


for _target, _step in STEPS.items():
    _module, _, _path = _target.partition(":")
    *_owners, _name = _path.split(".")
    _owner = functools.reduce(getattr, _owners, import_module(_module))
    setattr(_owner, _name, _stamped(getattr(_owner, _name), _step))
