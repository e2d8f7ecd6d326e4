"""One cluster for all tests of this folder, and a namespace for each test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.cluster import Cluster, Refused, require_cluster
from tests.cluster.portal import ClusterPortal, start_cluster_portal
from tests.cluster.three_places import ThreePlaces, three_places
from tests.docker.engine import image, require_engine
from tests.live_portal import remove
from tests.waiting import within


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster; skips where there is none."""
    return require_cluster()


@pytest.fixture
def new_namespace(cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Make a namespace that enforces a level of Pod Security; deleted with all that is in it."""
    made: list[str] = []

    def make(level: str) -> str:
        name = f"daas-test-{secrets.token_hex(4)}"
        labels = {"pod-security.kubernetes.io/enforce": level}
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        made.append(name)
        # pods are refused until the controller made it
        within(60, lambda: _has_account(cluster, name))
        return name

    try:
        yield make
    finally:
        for name in made:
            cluster.kubectl("delete", "namespace", name, "--wait=false")


def _has_account(cluster: Cluster, namespace: str) -> bool:
    try:
        cluster.get("-n", namespace, "serviceaccount", "default")
    except Refused:
        return False
    return True


@pytest.fixture
def namespace(new_namespace: Callable[[str], str]) -> str:
    """A namespace that enforces *restricted*."""
    return new_namespace("restricted")


@pytest.fixture
def open_namespace(new_namespace: Callable[[str], str]) -> str:
    """A namespace in which pods may have directories of their node."""
    return new_namespace("privileged")


@contextmanager
def namespace_of_sessions(cluster: Cluster) -> Iterator[str]:
    """Make a namespace whose pods may have directories of their node."""
    namespace = f"daas-sessions-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    try:
        yield namespace
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="module")
def place(cluster: Cluster, images: dict[str, str]) -> Iterator[ClusterPortal]:
    """A portal with a namespace of its own; its pods have directories of their node."""
    with namespace_of_sessions(cluster) as namespace:
        running = start_cluster_portal(cluster, namespace, images)
        try:
            yield running
        finally:
            running.portal.stop()
            remove(running.portal)


@pytest.fixture(scope="package")
def places(cluster: Cluster, sandbox_works: None) -> Iterator[ThreePlaces]:
    """The portal with three places, for all tests of this folder that need it."""
    engine = require_engine(image("desktop"), image("pymca"), image("notebook"))
    try:
        with namespace_of_sessions(cluster) as namespace, three_places(cluster, namespace, engine) as running:
            yield running
    finally:
        engine.close()
