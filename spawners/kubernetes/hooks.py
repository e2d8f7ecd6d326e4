"""The hooks of KubeSpawner's that get a pod: what they return is compared with what was asked for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from jupyterhub.utils import maybe_future
from kubernetes_asyncio.client import ApiClient, Configuration

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.compare import HOOK_MAY, differences
from daas_hub.spawners.kubernetes.filled_in import confines
from daas_hub.spawners.kubernetes.labels import OWN_PREFIXES


async def modified(spawner: Any, pod: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest that `modify_pod_hook` makes of this one; the same without a hook.

    Raises:
        ConfigurationError: the hook failed, or changed what confines the session.
    """
    if spawner.modify_pod_hook is None:
        return pod
    setting = "KubeSpawner.modify_pod_hook"
    try:
        async with ApiClient(Configuration()) as client:
            changed = await maybe_future(spawner.modify_pod_hook(spawner, _model(client, pod)))
            found: dict[str, Any] = client.sanitize_for_serialization(changed)
    except Exception as error:
        spawner.log.exception("%s failed", setting)
        raise ConfigurationError(setting, "(set)", f"failed: {type(error).__name__}", remedy="Correct it.") from error
    if not isinstance(found, dict):
        raise ConfigurationError(setting, "(set)", "returned no pod", remedy="Return the pod that it gets.")
    wrong = [*differences(pod, found, HOOK_MAY), *_changed_records(pod["metadata"], found["metadata"])]
    if wrong:
        remedy = f"It may change: {', '.join(HOOK_MAY)}."
        raise ConfigurationError(setting, "(set)", f"changes {', '.join(wrong)}", remedy=remedy)
    return found


def _changed_records(asked: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return the labels and annotations by which the hub knows its pods, and those that confine, if they differ."""
    wrong = []
    for kind in ("labels", "annotations"):
        before, after = asked.get(kind) or {}, found.get(kind) or {}
        names = [name for name in {**before, **after} if name.startswith(OWN_PREFIXES) or confines(name)]
        wrong += [f"metadata.{kind}[{name}]" for name in names if before.get(name) != after.get(name)]
    return wrong


async def after_created(spawner: Any, pod: dict[str, Any]) -> None:
    """Run `after_pod_created_hook`, if there is one.

    Raises:
        ConfigurationError: it failed.
    """
    if spawner.after_pod_created_hook is None:
        return
    try:
        await maybe_future(spawner.after_pod_created_hook(spawner, pod))
    except Exception as error:
        setting = "KubeSpawner.after_pod_created_hook"
        spawner.log.exception("%s failed", setting)
        raise ConfigurationError(setting, "(set)", f"failed: {type(error).__name__}", remedy="Correct it.") from error


def _model(client: ApiClient, pod: dict[str, Any]) -> Any:
    """Return the pod as the client's own type, which the hook expects."""
    answer: Any = SimpleNamespace(data=json.dumps(pod))
    return client.deserialize(answer, "V1Pod")
