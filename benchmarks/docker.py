"""Containers: click to first frame, against the stock DockerSpawner and `docker run`; twenty at once; memory.

The engine is that of $DOCKER_HOST (or /var/run/docker.sock), and has the images of `make images`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median as middle

import docker
import yaml

from daas_hub.version import __version__

from .browser import Launch, chromium, measure, measure_opening
from .launch import connect, rounds
from .machine import goal_max, median, progress, section, spread, spread_head, table
from .opened import launch_and_leave
from .peer import Peer, install
from .portal import ROOT, Portal
from .processes import descendants, find_xvnc, pss_mib
from .service import state_folder
from .streams import open_unix_websocket
from .together import TOGETHER, Clients, Together, one_at_a_time, together_part, twenty_at_once, twenty_bare
from .windows import has_window

HERE = Path(__file__).resolve().parent
WANTED_OF_PEER, WANTED_OF_FLOOR, WANTED_OF_OPENING = 0.25, 3.5, 1.1
PEER_IMAGE = "daas-bench/peer:1"
TERMINAL = "lxterminal --no-remote"
PYTHON_OF_IMAGES = "/opt/daas-hub/bin/python"
LABELS = {
    "ours": "ours",
    "peer": "stock DockerSpawner",
    "floor": "docker run, no browser",
    "opening": "opening a session that runs",
}


def image(name: str) -> str:
    """One of this project's images."""
    return f"localhost/daas-hub/{name}:{__version__}"


class DockerPortal(Portal):
    """Our hub with containers, on data copied to where the engine sees it."""

    #: The image of PyMca; another one is measured with `--image`.
    pymca = ""
    #: Lines at the end of the configuration.
    more_config = ""

    @property
    def below(self) -> int:
        """An engine's containers are no children of the hub."""
        return 1

    def __enter__(self) -> DockerPortal:
        """Write the configuration, start, and wait."""
        data = self.state / "visitor"
        shutil.copytree("/usr/share/pymca", data)
        proposals = yaml.safe_load((ROOT / "demo" / "proposals.yaml").read_text())
        for visit in (visit for proposal in proposals["proposals"] for visit in proposal["visits"]):
            visit["data"] = [path.replace("/usr/share/pymca", str(data)) for path in visit["data"]]
        (self.state / "proposals.yaml").write_text(yaml.safe_dump(proposals))
        self.catalogue.mkdir(mode=0o755, parents=True, exist_ok=True)
        (self.catalogue / "pymca.yaml").write_text(
            f"name: pymca\ntitle: PyMca\nkind: desktop\ncommand: [pymca]\nimage: {self.pymca or image('pymca')}\n"
        )
        (self.catalogue / "terminal.yaml").write_text(
            "name: terminal\ntitle: Terminal\nkind: desktop\ncommand: [lxterminal, --no-remote]\n"
            f"image: {image('desktop')}\n"
        )
        config = self.state / "jupyterhub_config.py"
        config.write_text(
            f"load_subconfig({str(ROOT / 'jupyterhub_config.py')!r})\n"
            f"c.Facility.catalogue = [{str(self.catalogue)!r}]\n"
            f"c.Facility.proposals_file = {str(self.state / 'proposals.yaml')!r}\n"
            f"c.Facility.sessions_per_person = {2 * TOGETHER}\n"
            f"c.MountRules.data_roots = [{str(self.state)!r}]\n"
            "c.JupyterHub.spawner_class = 'proposal-docker'\n"
            f"c.ProposalDockerSpawner.runtime_dir = {str(self.state / 'run')!r}\n"
            f"{self.more_config}\n"
        )
        self.run(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            {
                "DAAS_DEMO_PORT": str(self.port),
                "DAAS_DEMO_STATE": str(self.state / "demo"),
                "DAAS_DEMO_HOST": "127.0.0.1",
            },
            self.state,
        )
        self.wait_for(f"{self.url}/hub/login")
        self.wait_for(f"http://127.0.0.1:{self.port + 1}/.well-known/openid-configuration")
        return self


class UnlimitedPortal(DockerPortal):
    """The same, where all sessions start at the same time."""

    more_config = "c.ProposalDockerSpawner.concurrent_starts = 0"


class DockerPeer(Peer):
    """The stock hub with DockerSpawner."""

    @property
    def below(self) -> int:
        """An engine's containers are no children of the hub."""
        return 1

    name = "docker-peer"

    def __enter__(self) -> DockerPeer:
        """Build the image when it is missing, start, and wait until the login page answers."""
        installed = install()
        client = docker.from_env()
        build_peer_image(client)
        bridge = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
        gateway = bridge.get("Gateway") or bridge["Subnet"].rpartition(".")[0] + ".1"
        self.start(installed, HERE / "docker_peer_hub.py", {"BENCH_IMAGE": PEER_IMAGE, "BENCH_BRIDGE": gateway})
        return self


def build_peer_image(client: docker.DockerClient) -> None:
    """Build the peer's image unless the engine has it."""
    try:
        client.images.get(PEER_IMAGE)
    except docker.errors.ImageNotFound:
        progress(f"building {PEER_IMAGE}")
        client.images.build(path=str(HERE), dockerfile="docker-peer.Dockerfile", tag=PEER_IMAGE, network_mode="host")


@contextmanager
def bare_container(state: Path, name: str, application: str = "pymca", *, server: bool = False) -> Iterator[str]:
    """`docker run` of the same image with the floor's script; ends it afterwards.

    Args:
        server: whether the least server that a browser can connect to runs beside the X server; its socket is yielded.
    """
    client = docker.from_env()
    folder = state / "floor"
    container = client.containers.create(
        DockerPortal.pymca or image(name),
        ["/bench/floor.sh", "/tmp/rfb"],
        user="25001:25001",
        network_mode="none",
        environment={
            "BENCH_APPLICATION": application,
            "BENCH_SERVER": PYTHON_OF_IMAGES if server else "",
            "HOME": "/tmp",
        },
        mounts=[docker.types.Mount("/bench", str(folder), type="bind", read_only=True)],
    )
    try:
        container.start()
        container.reload()
        yield f"/proc/{container.attrs['State']['Pid']}/root/tmp/rfb{'.web' if server else ''}"
    finally:
        container.remove(force=True)


def measure_floor(state: Path, title: str) -> Launch:
    """Start a bare container once; the first frame is the first update with light in it at a bare client."""
    began = time.time()
    with bare_container(state, "pymca") as socket:
        client = connect(Path(socket))
        client.wait_for_light()
        frame = time.time()
        client.close()
        while (xvnc := find_xvnc(1)) is None or not has_window(xvnc.pid, title):
            if time.time() - frame > 120:
                raise RuntimeError(f"the floor shows no window with {title!r} in its title")
            time.sleep(0.03)
        return Launch(frame - began, time.time() - began)


def first_frames(options: argparse.Namespace, state: Path, portal: DockerPortal) -> dict[str, list[Launch]]:
    """Launch in every system."""
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        systems: dict[str, Callable[[], Launch]] = {"ours": lambda: measure(browser, portal, "PyMca")}
        if not options.no_peer:
            peer = stack.enter_context(DockerPeer(state / "peer", "pymca"))
            systems["peer"] = lambda: measure(browser, peer, "PyMca")
        systems["floor"] = lambda: measure_floor(state, "PyMca")
        opened = stack.enter_context(DockerPortal(_folder(state, "opening"), "pymca", proposal="MA-4242"))
        address, _ = launch_and_leave(browser, opened)
        systems["opening"] = lambda: measure_opening(browser, opened, address)
        return rounds(systems, options.runs)


def _write_scripts(state: Path) -> None:
    """Put the floor's scripts where containers may read them."""
    folder = _folder(state, "floor")
    for script in ("floor.sh", "desktop.sh", "floor_server.py"):
        shutil.copy(HERE / script, folder)


def _folder(state: Path, name: str) -> Path:
    """Return a new folder for one system."""
    folder = state / name
    folder.mkdir()
    return folder


def marginal_memory(portal: DockerPortal) -> dict[int, float]:
    """Return what all sessions of one image hold together, by their number (PSS, MiB)."""
    clients = Clients(portal)
    person = clients.login("anna")
    names, held = [], {}
    for number in range(1, 11):
        names.append(clients.launch(person, "pymca")[1])
        if number in (1, 2, 3, 9, 10):
            time.sleep(6)  # until PyMca has drawn its window
            held[number] = middle([_held() for _ in range(3)])
            progress(f"{number} sessions: {held[number]:.0f} MiB")
    for name in names:
        clients.stop(person, name)
    return held


def _held() -> float:
    shims = [process for process in descendants(1) if process.name.startswith("containerd-shim")]
    return sum(pss_mib(process.pid) for shim in shims for process in [shim, *descendants(shim.pid)])


def report_frames(results: dict[str, list[Launch]], runs: int) -> None:
    """Print the section of first frames."""
    rows = []
    for name, launches in results.items():
        frames = [launch.frame_s for launch in launches]
        windows = [launch.window_s for launch in launches]
        rows.append([LABELS[name], *spread(frames), *spread(windows)])
    frame = {name: median(launch.frame_s for launch in launches) for name, launches in results.items()}
    verdicts = []
    if "peer" in frame:
        verdicts.append(
            goal_max("first frame p50, ours to stock DockerSpawner", frame["ours"] / frame["peer"], WANTED_OF_PEER)
        )
    verdicts.append(goal_max("first frame p50, ours to docker run", frame["ours"] / frame["floor"], WANTED_OF_FLOOR))
    both = frame["floor"] + frame["opening"]
    verdicts.append(
        goal_max("first frame p50, ours to docker run and opening", frame["ours"] / both, WANTED_OF_OPENING)
    )
    section(
        "Containers: click to desktop",
        "make bench-docker",
        f"{runs} launches of PyMca each, interleaved, after one uncounted, on one engine with the images; the floor "
        "is `docker run` of our image with nothing but the X server, the window manager and PyMca, at a bare client.",
        table(["system", *spread_head("frame s"), *spread_head("window s")], rows),
        "\n".join(verdicts),
    )


def wait_until_stopped(portal: DockerPortal) -> None:
    """Wait until the engine has no container of this portal."""
    client = docker.from_env()
    while any(
        mount.get("Source", "").startswith(f"{portal.state}/")
        for one in client.api.containers(all=True)
        for mount in one["Mounts"]
    ):
        time.sleep(0.2)


def measure_together(portal: DockerPortal, state: Path, turns: int) -> Together:
    """Let twenty start at once, in turn: bare desktops without and with a server, ours with and without a limit."""
    measured = Together()
    with UnlimitedPortal(_folder(state, "unlimited"), "pymca", proposal="MA-4242") as unlimited:
        for _ in range(turns):
            measured.floor += twenty_bare(lambda: bare_container(state, "desktop", TERMINAL))
            measured.served += twenty_bare(
                lambda: bare_container(state, "desktop", TERMINAL, server=True), open_unix_websocket
            )
            measured.ours += twenty_at_once(portal)
            wait_until_stopped(portal)
            measured.unlimited += twenty_at_once(unlimited)
            wait_until_stopped(unlimited)
    measured.alone = one_at_a_time(portal)
    return measured


def report_load(measured: Together, held: dict[int, float]) -> None:
    """Print the section of many sessions at once."""
    section(
        "Containers: many sessions",
        "make bench-docker",
        together_part(measured),
        "Memory of all PyMca sessions together, with the engine's own process for each (PSS):\n",
        table(
            ["sessions", "MiB", "the last one added MiB"],
            [
                [1, held[1], held[1]],
                [2, held[2], held[2] - held[1]],
                [3, held[3], held[3] - held[2]],
                [10, held[10], held[10] - held[9]],
            ],
        ),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="counted launches of each system")
    parser.add_argument("--no-peer", action="store_true", help="leave the stock peer out")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--only-frames", action="store_true", help="leave out many sessions at once")
    only.add_argument("--only-together", action="store_true", help="measure twenty at once and nothing else")
    parser.add_argument("--turns", type=int, default=3, help="of twenty at once, in each system")
    parser.add_argument("--image", default="", help="another image of PyMca than that of `make images`")
    options = parser.parse_args()
    os.environ.pop("DISPLAY", None)
    DockerPortal.pymca = options.image
    with state_folder() as state:
        _folder(state, "peer")
        _write_scripts(state)
        with DockerPortal(_folder(state, "ours"), "pymca", proposal="MA-4242") as portal:
            if not options.only_together:
                report_frames(first_frames(options, state, portal), options.runs)
            if options.only_frames:
                return
            measured = measure_together(portal, state, options.turns)
            held = {} if options.only_together else marginal_memory(portal)
    if options.only_together:
        section("Containers: twenty at once", "python -m benchmarks.docker --only-together", together_part(measured))
        return
    report_load(measured, held)


if __name__ == "__main__":
    main()
