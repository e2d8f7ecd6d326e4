"""Plays scheduler, kubelet and session where there is an API server and no node.

Each pod without a gate "runs" at an address of this machine's own, where one web server answers for all of them; its
session arrives at the gateway from that address, with the token of its Secret, as `daas-pod` does.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from tests.kubernetes.api_server import ApiServer
from tests.live_portal import free_ports

Json = dict[str, Any]
#: An address that no pod has.
ELSEWHERE = "127.255.255.1"


class _Session(BaseHTTPRequestHandler):
    """Answers everything, as a session does that is ready."""

    def do_GET(self) -> None:
        """Answer."""
        body = b"a session"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class Kubelet:
    """The player, in threads.

    Attributes:
        outcome: what becomes of new pods: "run", "wait" (nothing), "early" (its session arrives, and `report` reports
            its address), "elsewhere" (another address is reported as soon as it arrives), or the status of a pod that
            ends at once.
        beats: whether sessions report that they live.
        unreported: pods that run, whose address is not reported yet, with that address.

    Args:
        network: the first half of its pods' addresses; "" makes one up.
    """

    def __init__(self, api: ApiServer, namespace: str, hub_id: str = "", *, network: str = "") -> None:
        """Play for the pods of this hub; "" plays for all hubs."""
        self.outcome: str | Json = "run"
        self.beats = True
        self.port = free_ports(1)
        self._api, self._namespace, self._hub_id = api, namespace, hub_id
        # of one namespace, two hubs' pods have not the same ones
        self._network = network or f"127.{self.port // 10 % 250 + 1}"
        self._addresses: dict[str, str] = {}
        self.unreported: list[tuple[Json, str]] = []
        self._next = 1
        self._ended = threading.Event()
        self._web = ThreadingHTTPServer(("0.0.0.0", self.port), _Session)
        self._threads = [threading.Thread(target=self._web.serve_forever), threading.Thread(target=self._play)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        self._web.shutdown()
        for thread in self._threads:
            thread.join()
        self._web.server_close()

    def _play(self) -> None:
        while not self._ended.wait(0.1):
            # the API server is away now and then
            with contextlib.suppress(requests.RequestException, AssertionError, OSError, HTTPException):
                for pod in self._api.pods(self._namespace):
                    self._look_at(pod)

    def _look_at(self, pod: Json) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        labels = pod["metadata"].get("labels") or {}
        if "daas-hub/session" not in labels or (self._hub_id and labels["daas-hub/hub"] != self._hub_id):
            return
        if pod["spec"].get("schedulingGates") or uid in self._addresses or self.outcome == "wait":
            return
        if not isinstance(self.outcome, str):
            self._addresses[uid] = ""
            self._api.set_status(self._namespace, name, **self.outcome)
            return
        self._addresses[uid] = address = f"{self._network}.{self._next // 250}.{self._next % 250 + 1}"
        self._next += 1
        if self.outcome == "run":
            self._api.run_pod(self._namespace, name, address)
        else:
            # as a kubelet does at first
            self._api.set_status(self._namespace, name, phase="Pending", hostIP="127.0.0.1")
            self.unreported.append((pod, address))
        session = threading.Thread(target=self._be_session, args=(pod, address))
        self._threads.append(session)
        session.start()

    def report(self, address: str = "") -> None:
        """Report that the pods run whose address was not reported yet, at their own or at this one."""
        while self.unreported:
            pod, own = self.unreported.pop()
            self._api.run_pod(self._namespace, pod["metadata"]["name"], address or own)

    def _be_session(self, pod: Json, address: str) -> None:
        """Arrive at the gateway, then report every second that the session lives."""
        container = pod["spec"]["containers"][0]
        gateway = next(one["value"] for one in container["env"] if one["name"] == "DAAS_GATEWAY")
        secret = container["envFrom"][0]["secretRef"]["name"]
        data = self._api.call("GET", f"/api/v1/namespaces/{self._namespace}/secrets/{secret}")["data"]
        token = base64.b64decode(data["JUPYTERHUB_API_TOKEN"]).decode()
        wanted = None
        while not self._ended.is_set() and wanted is None:
            wanted = ask(gateway, address, token, "/session/arrival", {})
            time.sleep(0.1)
        if self.outcome == "elsewhere":
            self.report(ELSEWHERE)
            # the hub sees it
            time.sleep(1)
        # what a session is granted that has no directories of the hub's
        directories = [[1, 1, path.endswith("/data")] for path in (wanted or {}).get("directories", ())]
        ask(gateway, address, token, "/session/arrival", {"directories": directories, "open": []})
        while not self._ended.wait(1.0):
            if self.beats:
                ask(gateway, address, token, "/session/heartbeat", {})


def ask(gateway: str, address: str, token: str, path: str, document: Json) -> Json | None:
    """Send a document to the gateway from a pod's address; return the answer, None if it was not let in."""
    host, _, port = gateway.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=30, source_address=(address, 0))
    try:
        headers = {"Authorization": f"token {token}", "X-Daas-Pod-Address": address}
        connection.request("POST", path, json.dumps(document), headers)
        response = connection.getresponse()
        found: Json = json.loads(response.read())
    except (OSError, HTTPException, ValueError):
        return None
    else:
        return found if response.status == 200 else None
    finally:
        connection.close()
