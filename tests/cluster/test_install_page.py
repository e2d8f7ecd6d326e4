"""docs/how-to/install-on-kubernetes.md, followed from an empty cluster until its first user sees a desktop.

Every file and command is the page's own. Replaced are names, digests and storage, and the sizes of a small machine.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS, SessionUser
from tests.cluster.cluster import Cluster
from tests.cluster.front import HOST, Front, running_front, serving
from tests.cluster.installed import HUB_USER, remove_shared, volume_of
from tests.cluster.page import Administrator, sections
from tests.cluster.portal import on_the_node
from tests.live_portal import Portal
from tests.not_tried import missing
from tests.waiting import within

RELEASE = "daas"
CLIENT_SECRET = "of-the-client-of-this-test"
#: The account and the proposal of the page: owner, group and mode of each directory that it says must exist.
DIRECTORIES = {
    "visitor/MA-4242/ID21/1": (0, 26001, 0o750),
    "processed/MA-4242": (0, 26001, 0o2770),
    "homes/alindqvist": (25001, 25001, 0o700),
}

pytestmark = pytest.mark.browser


@dataclass
class World:
    """A cluster without a portal, what a facility has, and who installs."""

    cluster: Cluster
    namespace: str
    front: Front
    administrator: Administrator

    @property
    def sessions(self) -> str:
        """The namespace of sessions."""
        return f"{self.namespace}-sessions"


def make_storage(state: Path) -> None:
    """Make the directories that the page says must exist, and the hub's own."""
    for path, (uid, gid, mode) in DIRECTORIES.items():
        folder = state / path
        folder.mkdir(parents=True)
        os.chown(folder, uid, gid)
        folder.chmod(mode)
    (state / "visitor/MA-4242/ID21/1/scan_0001.dat").write_text("1 2\n2 4\n")
    (state / "hub").mkdir(mode=0o700)
    os.chown(state / "hub", HUB_USER, HUB_USER)


def replaced(namespace: str, front: Front) -> dict[str, str]:
    """Return what the page says to replace, as patterns, with what this machine has."""
    repository, _, digest = on_the_node("hub").partition("@")
    storage = {rf"\bdaas-{name}\b": f"{namespace}-{name}" for name in ("visitor", "processed", "homes")}
    return storage | {
        r"registry\.facility\.org/daas/pymca@sha256:0{64}": on_the_node("pymca"),
        r"registry\.facility\.org/daas/hub(?=\s)": repository,
        r"sha256:0{64}": digest,
        r"registry\.facility\.org/daas": repository.removesuffix("/hub"),
        r"https://keycloak\.facility\.org/realms/users": front.issuer,
        r"\bdaas-sessions\b": f"{namespace}-sessions",
        r"(?<=-n )daas(?=\s)": namespace,
        r"(?<=namespace )daas(?=\s)": namespace,
        # as the page says for a provider with a certificate of the facility's own authority
        r"(?<=--from-file=oidc=client-secret\.txt)": " --from-file=ca.pem",
    }


def for_a_small_machine(namespace: str) -> Any:
    """Return what is changed in the values: this cluster has no default storage class, and two processors."""

    def change(values: dict[str, Any]) -> None:
        values["hub"] = {"storage": {"storageClass": namespace}, "resources": {"requests": {"cpu": "100m"}}}
        values["proxy"] = {"resources": {"requests": {"cpu": "100m"}}}
        values["applications"]["sizes.yaml"] = values["applications"]["sizes.yaml"].replace(
            "memory: 4 GiB, cpus: 2", "memory: 1 GiB, cpus: 0.6"
        )
        values["config"] += 'c.UmbrellaAuthenticator.http_request_kwargs = {"ca_certs": "/run/daas-secrets/ca.pem"}\n'

    return change


def on_this_node(state: Path) -> Any:
    """Return what is changed in the claims: no NFS server, but directories of the node."""

    def change(document: dict[str, Any]) -> None:
        if document["kind"] == "PersistentVolume":
            share = document["spec"].pop("csi")["volumeAttributes"]["share"]
            document["spec"]["hostPath"] = {"path": f"{state}/{share.rpartition('/')[2]}", "type": "Directory"}

    return change


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    """Everything that the page says one needs."""
    namespace = f"daas-page-{secrets.token_hex(3)}"
    state = Path(tempfile.mkdtemp(prefix="daas-page-"))
    state.chmod(0o755)
    make_storage(state)
    folder = state / "etc"
    folder.mkdir()
    (folder / "deploy").symlink_to(Path(__file__).parents[2] / "deploy")
    (folder / "client-secret.txt").write_text(f"{CLIENT_SECRET}\n")
    volume = volume_of(namespace, state / "hub", namespace)
    volume["spec"]["capacity"]["storage"] = "5Gi"
    cluster.create(volume)
    try:
        with running_front(folder, client_secret=CLIENT_SECRET) as front:
            shutil.copy(folder / "server.pem", folder / "fullchain.pem")
            shutil.copy(folder / "server.key", folder / "key.pem")
            changed = {"values.yaml": for_a_small_machine(namespace), "claims.yaml": on_this_node(state)}
            administrator = Administrator(cluster, folder, replaced(namespace, front), changed)
            yield World(cluster, namespace, front, administrator)
    finally:
        remove_shared(cluster, namespace, RELEASE)
        cluster.kubectl("delete", "namespace", namespace, f"{namespace}-sessions", "--ignore-not-found", "--wait=false")
        names = [namespace, *(f"{namespace}-{name}" for name in ("visitor", "processed", "homes"))]
        cluster.kubectl("delete", "persistentvolume", *names, "--ignore-not-found", "--wait=false")
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def anna(world: World) -> Iterator[SessionUser]:
    """The first user, with a browser that finds the portal's name on this machine."""
    program = shutil.which("chromium")
    if program is None:
        missing("browser", "chromium is not installed")
    rule = f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{world.front.port}"
    with sync_playwright() as playwright:
        running: Browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, rule])
        context = running.new_context(viewport={"width": 1400, "height": 900}, ignore_https_errors=True)
        portal = Portal(f"https://{HOST}", world.administrator.folder, Path(), world.front.provider.process)
        person = SessionUser(portal, context, context.new_page())
        person.watch(person.page)
        yield person
        running.close()


def test_the_page_leads_from_an_empty_cluster_to_a_first_user(world: World, anna: SessionUser) -> None:
    administrator, cluster = world.administrator, world.cluster
    looked = administrator.follow("1. ")
    assert looked.split()[-2:] == ["true", "true"], looked
    administrator.follow("3. ")
    administrator.follow("4. ")
    notes = administrator.follow("5. ")
    assert f"The portal will be at https://{HOST}" in notes
    assert f"claims of the namespace {world.sessions}" in notes
    bound = administrator.follow("6. ")
    assert bound.count("condition met") == 3, bound
    proxy = cluster.get("-n", world.namespace, "service", "daas-proxy")["spec"]["clusterIP"]
    with serving(world.front, f"{proxy}:80"):
        # 1 is for a warning, which the page explains
        doctor = administrator.follow("7. ", ends=1)
        assert re.findall(r"^  (?:PROBLEM|WARNING) (.*)", doctor, re.MULTILINE) == ["look for host names of sessions"]
        assert "run a program in a session of alindqvist" in doctor
        walk(world, anna)


def walk(world: World, anna: SessionUser) -> None:
    """Sign in, see the proposal, launch PyMca as the page says, and see its first picture, from a pod."""
    page = anna.page
    anna.login("anna")
    page.wait_for_url(f"https://{HOST}/hub/**")
    anna.keep_picture("install-page-home")
    assert "Trace elements in Roman glass" in page.inner_text("main")
    page.locator("table.proposals tr", has_text="MA-4242").get_by_role("link").first.click()
    anna.keep_picture("install-page-proposal")
    page.get_by_role("button", name="Launch PyMca", exact=True).first.click()
    page.wait_for_timeout(1500)
    anna.keep_picture("install-page-start")
    page.wait_for_selector('html[data-frame="1"]', state="attached", timeout=120_000)
    page.wait_for_timeout(2000)
    anna.keep_picture("install-page-desktop")
    (pod,) = world.cluster.get("-n", world.sessions, "pods")["items"]
    assert pod["status"]["phase"] == "Running"
    assert pod["spec"]["securityContext"]["runAsUser"] == 25001
    page.goto(f"https://{HOST}/hub/home")
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_role("button", name="Stop", exact=True).click()
    within(60, lambda: not world.cluster.get("-n", world.sessions, "pods")["items"])


def test_every_command_of_the_page_is_tried_here_or_known() -> None:
    """A new section with commands is added to the walk, or to this list with the test that has it."""
    walked = ("1. ", "3. ", "4. ", "5. ", "6. ", "7. ")
    elsewhere = {
        "2. Images": "tests/images; a registry: tests/docker/test_faults.py",
        "A web server of your own": "test_chart_places.py, tests/deploy/test_nginx.py",
        "Storage from the nodes": "test_chart_admission.py",
        "Upgrade": "test_chart_sessions.py",
    }
    assert {title for title, blocks in sections().items() if blocks and not title.startswith(walked)} == set(elsewhere)
