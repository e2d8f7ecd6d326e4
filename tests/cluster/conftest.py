"""One cluster for all tests of this folder, and a namespace for each test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.cluster import Cluster, Refused, require_cluster, within


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
        within(20, lambda: _has_account(cluster, name))
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
