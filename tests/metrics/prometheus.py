"""A Prometheus of Debian that reads one portal, and answers queries."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.live_portal import Portal, free_ports
from tests.not_tried import missing
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "daas-hub.rules.yml"
SCRAPE = ROOT / "deploy" / "prometheus" / "prometheus.yml"


def program(name: str) -> str:
    """Return the path of a program of Debian's package prometheus."""
    found = shutil.which(name)
    if found is None:
        missing("prometheus", f"{name} is not here (apt-get install prometheus)")
    return found


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **params: str) -> Any:
        """Return the data of an answer of its API."""
        reply = requests.get(f"{self.url}/api/v1/{path}", params=params, timeout=30)
        assert reply.ok, f"{params}: {reply.text}"
        return reply.json()["data"]

    def values(self, query: str) -> list[float]:
        """Return the values of a query at this moment."""
        return [float(one["value"][1]) for one in self.ask("query", query=query)["result"]]

    def wait_for(self, query: str, timeout_s: float = 30.0) -> list[float]:
        """Return the values of a query as soon as it has some."""
        found = wait_for(lambda: self.values(query), f"no data: {query}", timeout_s=timeout_s)
        return found


@contextmanager
def running_prometheus(portal: Portal, token: str, folder: Path) -> Iterator[Prometheus]:
    """Run one with the shipped configuration, which reads this portal every second."""
    config = yaml.safe_load(SCRAPE.read_text())
    config["rule_files"] = [str(RULES)]
    (job,) = config["scrape_configs"]
    (folder / "token").write_text(token)
    job["scrape_interval"] = "1s"
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"][0]["targets"] = [portal.url.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"127.0.0.1:{free_ports(1)}"
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={url}",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield _ready(f"http://{url}", process, folder / "prometheus.log")
        finally:
            process.terminate()


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> Prometheus:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            if requests.get(f"{url}/-/ready", timeout=30).ok:
                return Prometheus(url)
        time.sleep(0.1)
    raise AssertionError(log.read_text())
