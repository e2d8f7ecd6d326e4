"""When a session ends: in its state, in an annotation of its pod, and at its gateway, where it asks every ten seconds.

The session keeps the last answer and ends itself then, also while the hub is away. `activeDeadlineSeconds` of a pod
could not be extended.
"""

from __future__ import annotations

import time

from daas_hub.spawners.kubernetes.client import APIRefusal, ClusterUnreachable, Json, PlaceClient
from daas_hub.spawners.kubernetes.labels import DEADLINE_ANNOTATION
from daas_hub.spawners.kubernetes.pod import moment


def remaining_s(ends: float) -> float:
    """Return how many seconds a session may still last that ends at this time; never negative."""
    return max(0.0, ends - time.time())


async def keep_annotation(client: PlaceClient, pod: Json, ends: float) -> None:
    """Write when a session ends to its pod, if that has changed; the session itself does not depend on it."""
    if not ends or (pod["metadata"].get("annotations") or {}).get(DEADLINE_ANNOTATION) == moment(ends):
        return
    metadata: Json = {"annotations": {DEADLINE_ANNOTATION: moment(ends)}, "uid": pod["metadata"]["uid"]}
    try:
        await client.once("patch_namespaced_pod", pod["metadata"]["name"], {"metadata": metadata})
    except (APIRefusal, ClusterUnreachable):
        return
