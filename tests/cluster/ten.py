"""Ten sessions of one hub, and whether they are still the same ten: in the cluster, in the hub and on the pages."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.cluster import Json, Refused, processes_of
from tests.cluster.portal import ClusterPortal
from tests.live_portal import Person, start_portal
from tests.waiting import within

COUNT = 10
#: Whatever the hub takes for nobody's is ended within seconds, so that a mistake shows.
CONFIG = """
c.Facility.sessions_per_person = 20
c.Spawner.start_timeout = 240
c.ProposalKubeSpawner.reconcile_interval_s = 2
c.ProposalKubeSpawner.orphan_grace_s = 4
"""


@dataclass
class Ten:
    """Ten light sessions of Anna.

    Attributes:
        names: of the sessions, in the hub.
        uids: of their pods, by name.
        starts: the ids of their starts, by name of the pod.
    """

    place: ClusterPortal
    anna: Person
    names: list[str] = field(default_factory=list)
    uids: dict[str, str] = field(default_factory=dict)
    starts: dict[str, str] = field(default_factory=dict)

    def launch(self) -> None:
        """Start them, nine at once, and note what runs."""
        # the first one makes her home; pods of an earlier test may still be going
        self.names = [self.anna.launch("light", wait=False)]
        self.anna.wait_ready(self.names[0], 240)
        self.names += [self.anna.launch("light", wait=False) for _ in range(COUNT - 1)]
        for name in self.names:
            self.anna.wait_ready(name, 240)
        pods = self.all_pods()
        self.uids = {one["metadata"]["name"]: one["metadata"]["uid"] for one in pods}
        self.starts = {one["metadata"]["name"]: one["metadata"]["labels"]["daas-hub/start"] for one in pods}
        assert len(self.uids) == COUNT

    # -- what there is ---------------------------------------------------------------------------------------------

    def all_pods(self) -> list[Json]:
        """Return every pod of the namespace, whatever its labels are."""
        found: list[Json] = self.place.cluster.get("-n", self.place.namespace, "pods")["items"]
        return found

    def servers(self) -> Json:
        """Return Anna's servers, as the hub's API has them."""
        found: Json = self.anna.get(f"/hub/api/users/{self.anna.name}").json().get("servers", {})
        return found

    def home(self) -> str:
        """Return the words of the home page, all of them."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.anna.get("/hub/home").text).split())

    def cards_with(self, words: str) -> int:
        """Return how many cards say this."""
        return self.home().count(words)

    def pages_open(self) -> int:
        """Return how many of the sessions' own pages open."""
        pages = [self.anna.get(f"/user/{self.anna.name}/{name}/") for name in self.names]
        return sum(one.status_code == 200 and "/hub/" not in one.url for one in pages)

    # -- what must hold --------------------------------------------------------------------------------------------

    def require_same(self) -> None:
        """Check that none was lost, none is an orphan, and none runs twice; and that no card has anything to say."""
        pods = {one["metadata"]["name"]: one for one in self.all_pods()}
        assert {name: one["metadata"]["uid"] for name, one in pods.items()} == self.uids
        for one in pods.values():
            assert one["status"]["phase"] == "Running", one["status"]
            assert "deletionTimestamp" not in one["metadata"], one["metadata"]
            assert [container["restartCount"] for container in one["status"]["containerStatuses"]] == [0]
        records = [
            json.loads(path.read_text()) for path in (self.place.portal.state / "run" / "records").glob("*.json")
        ]
        assert sorted(one["start"] for one in records) == sorted(self.starts.values())
        assert all(one["is_ready"] and not one["stop_wanted"] for one in records)
        self.require_known()
        within(30, lambda: not self.cards_with("does not answer"))
        assert self.cards_with("being ended") == 0

    def require_known(self) -> None:
        """Check what holds also while something of the cluster is away: the hub has all ten, and their pages open."""
        servers = self.servers()
        assert sorted(servers) == sorted(self.names)
        assert all(one["ready"] for one in servers.values())
        assert self.cards_with("Running") >= COUNT
        assert self.pages_open() == COUNT

    def within_30_s(self, words: str) -> float:
        """Wait until all ten cards say this; return the seconds that it took."""
        began = time.monotonic()
        within(30, lambda: self.cards_with(words) == COUNT)
        return time.monotonic() - began

    # -- what is done to them --------------------------------------------------------------------------------------

    @contextmanager
    def away(self, *parts: str) -> Iterator[None]:
        """Kill parts of the cluster, and start them again."""
        for part in parts:
            self.place.cluster.run_part("signal", "KILL", part)
        try:
            yield
        finally:
            self._bring_back(parts)

    def _bring_back(self, parts: Sequence[str]) -> None:
        """Start parts again, and wait until the cluster is whole."""
        run_part = self.place.cluster.run_part
        if "kube-apiserver" in parts:
            # after an absence its informers would take their time, and one that was starting then has ended
            run_part("signal", "KILL", "kube-controller-manager")
        for part in (*parts, "kube-controller-manager"):
            run_part("run", part)
        within(60, self._answers)
        self._require_controllers()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Stop the node's kubelet and every program of the sessions, as on a computer that hangs."""
        pids = [pid for uid in self.uids.values() for pid in processes_of(uid)]
        assert len(pids) > COUNT
        self.place.cluster.run_part("signal", "STOP", "kubelet")
        try:
            _signal(pids, signal.SIGSTOP)
            yield
        finally:
            _signal(pids, signal.SIGCONT)
            self.place.cluster.run_part("signal", "CONT", "kubelet")

    def _answers(self) -> bool:
        """Return whether API server and node are ready."""
        try:
            node = self.place.cluster.get("node", "node1")
        except Refused:
            return False
        return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])

    def _require_controllers(self) -> None:
        """Wait until the controllers do their work: they make again what is deleted."""
        kubectl = self.place.cluster.kubectl
        account = ("-n", self.place.namespace, "serviceaccount", "default")
        kubectl("delete", *account)

        def is_back() -> bool:
            try:
                kubectl("get", *account)
            except Refused:
                return False
            return True

        within(60, is_back)

    def kill_hub(self) -> None:
        """Kill the hub."""
        self.place.portal.process.kill()
        self.place.portal.process.wait()

    def start_hub(self) -> None:
        """Start the hub again; Anna signs in again."""
        portal = self.place.portal
        self.place.portal = start_portal(
            portal.state / "applications", state=portal.state, port=portal.port, more_config=self.place.config
        )
        self.anna = self.place.portal.login("anna")


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def during(seconds: float, check: Callable[[], Any]) -> None:
    """Run a check again and again for some time, and once at least."""
    until = time.monotonic() + seconds
    while True:
        check()
        if time.monotonic() >= until:
            return
        time.sleep(1)
