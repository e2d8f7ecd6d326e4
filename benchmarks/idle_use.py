"""What applications use while nobody works with them: `python -m benchmarks.idle_use [--images]`.

Each application runs in a session of a real portal, with its page open in Chromium, and closed: those of the demo in
sandboxes, or those of `images/` in containers of the engine at $DOCKER_HOST. The processor time is that of all
processes of the session, as the session itself measures it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import sync_playwright

from daas_hub.catalogue import Application, read_catalogue
from daas_hub.policy.lifetime_settings import Lifetimes
from tests.browser.conftest import FLAGS
from tests.docker.engine import containers, require_engine, start_docker_portal
from tests.live_portal import Person, Portal, new_state, remove, start_portal

from .machine import goal_max, progress, section, table

DEMO = ("terminal", "desktop", "pymca", "jupyterlab", "python")
IMAGES = Path(__file__).parents[1] / "images"
#: Seconds for a program to finish its own start, and for each further one that starts with it.
SETTLE_S, FURTHER_S = 20.0, 5.0
#: A visit of the demo, for applications of its beamline only.
BEAMLINE_VISIT = ("MA-4242", "1")


def sandbox_of(server: str) -> str:
    """Return the namespace of a sandbox's processes."""
    name = f"JUPYTERHUB_SERVER_NAME={server}".encode()
    own = os.readlink("/proc/self/ns/pid")
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            space = os.readlink(entry / "ns" / "pid")
            if space != own and name in (entry / "environ").read_bytes().split(b"\0"):
                return space
    raise RuntimeError(f"the sandbox of {server} is not found")


def new_container(portal: Portal, others: Collection[str]) -> str:
    """Return the namespace of the processes of the one container that is not among the others."""
    engine = require_engine()
    try:
        pids = [engine.inspect_container(one["Id"])["State"]["Pid"] for one in containers(engine, portal)]
    finally:
        engine.close()
    (space,) = {os.readlink(f"/proc/{pid}/ns/pid") for pid in pids} - set(others)
    return space


def processes_in(space: str) -> set[int]:
    """Return the processes of a namespace."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(entry / "ns" / "pid") == space:
                found.add(int(entry.name))
    return found


def processor_seconds(pids: set[int]) -> float:
    """Return the processor time of these processes and their ended children.

    Raises:
        RuntimeError: there are none, so the session is gone, or is not found.
    """
    if not pids:
        raise RuntimeError("the session has no processes")
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            ticks += sum(int(one) for one in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def windows(spaces: Collection[str], count: int, seconds: float) -> dict[str, list[float]]:
    """Return the processors in use in each namespace, averaged over each of some windows."""
    found: dict[str, list[float]] = {space: [] for space in spaces}
    for _ in range(count):
        before = {one: (processor_seconds(processes_in(one)), time.monotonic()) for one in spaces}
        time.sleep(seconds)
        for one, (used, began) in before.items():
            now = processor_seconds(processes_in(one))
            found[one].append((now - used) / (time.monotonic() - began))
    return found


def require_running(person: Person, server: str) -> None:
    """Require that the program of a desktop has not ended: then nothing was measured.

    Raises:
        RuntimeError: it has.
    """
    base = f"/user/{person.name}/{server}/"
    person.get(base)
    status = person.get(f"{base}status")
    if status.status_code == 404:
        # of a notebook server, which has no such page
        return
    status.raise_for_status()
    if status.json()["exit_code"] is not None:
        raise RuntimeError(f"the program of {server} has ended: {status.text[-1000:]}")


def settle_s(together: int) -> float:
    """Return how long to wait after the pages of sessions that run together were opened."""
    return SETTLE_S + FURTHER_S * (together - 1)


Row = tuple[str, list[float], list[float]]


def measure(
    portal: Portal, person: Person, applications: Sequence[Application | str], count: int, seconds: float
) -> Iterator[Row]:
    """Yield each application with its use while its page is open, and closed; they run together."""
    servers: dict[str, str] = {}
    spaces: dict[str, str] = {}
    for one in applications:
        name = one if isinstance(one, str) else one.name
        proposal, visit = BEAMLINE_VISIT if isinstance(one, Application) and one.beamlines else ("", "")
        servers[name] = person.launch(name, proposal=proposal, visit=visit)
        is_container = isinstance(one, Application)
        spaces[name] = new_container(portal, spaces.values()) if is_container else sandbox_of(servers[name])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for server in servers.values():
            # a window of its own each: a page in the background draws less
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            context.add_cookies(
                [
                    {"name": one.name, "value": one.value or "", "domain": "127.0.0.1", "path": one.path}
                    for one in person.session.cookies
                ]
            )
            context.new_page().goto(f"{portal.url}/user/{person.name}/{server}/", timeout=120_000)
        time.sleep(settle_s(len(servers)))
        opened = windows(spaces.values(), count, seconds)
        browser.close()
    time.sleep(5)
    closed = windows(spaces.values(), count, seconds)
    for name, server in servers.items():
        require_running(person, server)
        person.stop(server)
        progress(f"{name}: {opened[spaces[name]]} {closed[spaces[name]]}")
        yield name, opened[spaces[name]], closed[spaces[name]]


def of_images() -> list[Application]:
    """Return the applications whose images the engine has."""
    engine = require_engine()
    have = {tag for one in engine.images() for tag in one["RepoTags"] or []}
    engine.close()
    catalogue, problems = read_catalogue(IMAGES, *image_folders())
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    found = []
    for one in catalogue.applications.values():
        if one.image in have:
            found.append(one)
        else:
            progress(f"not measured: {one.name}, because {one.image} is not there")
    return found


def image_folders() -> list[Path]:
    """Return the folders of images with applications; the template has none yet."""
    return sorted({one.parent for one in IMAGES.glob("*/application*.yaml")} - {IMAGES / "template"})


@contextmanager
def running(with_images: bool, together: int) -> Iterator[Portal]:
    """Run a portal with the applications of the demo, or of `images/`."""
    more = f"c.Facility.sessions_per_person = {together}\n"
    if with_images:
        more += f"c.Facility.catalogue = {[str(IMAGES), *map(str, image_folders())]!r}\n"
        portal = start_docker_portal(more_config=more)
    else:
        portal = start_portal(state=new_state(), more_config=more)
    try:
        yield portal
    finally:
        portal.stop()
        remove(portal)


def report(rows: Iterable[Row], options: argparse.Namespace) -> None:
    """Print the section."""
    listed = list(rows)
    threshold = Lifetimes().busy_processors
    section(
        "Applications that nobody works with" + (", in their images" if options.images else ""),
        f"python -m benchmarks.idle_use{' --images' if options.images else ''} --windows {options.windows}"
        f" --seconds {options.seconds:g} --together {options.together}",
        f"Processors in use by all processes of a session, averaged over {options.windows} times"
        f" {options.seconds:g} s, {settle_s(options.together):g} s after its page was opened, and after it was closed;"
        f" {options.together} at a time. `Lifetimes.busy_processors` is {threshold:g}.",
        table(
            ["application", "page open, lowest", "highest", "page closed, lowest", "highest"],
            [[name, *(f"{one:.3f}" for each in both for one in (min(each), max(each)))] for name, *both in listed],
        ),
        *(
            goal_max(f"{name} idle, to the threshold", max(opened + closed) / threshold, 1.0)
            for name, opened, closed in listed
            if max(opened + closed) >= threshold / 2
        ),
    )


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", action="store_true", help="the applications of images/, in containers")
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--together", type=int, default=1, help="how many run at a time (default: 1)")
    parser.add_argument("applications", nargs="*", help="names (default: all)")
    options = parser.parse_args()
    known: dict[str, Application | str] = (
        {one.name: one for one in of_images()} if options.images else {one: one for one in DEMO}
    )
    wanted = options.applications or list(known)
    with running(options.images, options.together) as portal:
        anna = portal.login("anna")
        rows = [
            row
            for first in range(0, len(wanted), options.together)
            for row in measure(
                portal,
                anna,
                [known[name] for name in wanted[first : first + options.together]],
                options.windows,
                options.seconds,
            )
        ]
    report(rows, options)


if __name__ == "__main__":
    main()
