"""Ends of idle sessions on a backend: what the portal is configured with, its scenes, and what must become of each."""

from __future__ import annotations

import time

from tests.idle_scenes import ASK_FOR_UPDATE, KEY_A, POINTER, Scenes, look_at_a_notebook, sleep_in_a_kernel

#: Longer than a container or a pod takes to start, and to report twice.
IDLE_S = 24
CONFIG = f"""
c.Lifetimes.idle_minutes = {IDLE_S} / 60
c.Lifetimes.warning_minutes = 5 / 60
"""
#: As little as they can be: a test cluster has two processors.
SIZES = """\
sizes:
  light: {title: Light, memory: 512 MiB, cpus: 0.2, processes: 500, hours: 1}
  ample: {title: Ample, memory: 768 MiB, cpus: 0.6, processes: 500, hours: 1}
"""
_APPLICATION = "name: {0}\ntitle: {0}\nkind: {1}\n{2}sizes: [{4}]\nimage: {3}\n"
#: What is kept, and what ends: with its tab open or closed.
DESKTOPS_KEPT, DESKTOPS_ENDED = ("keys", "pointer", "processor"), ("closed desktop", "open desktop")
NOTEBOOKS_KEPT, NOTEBOOKS_ENDED = ("kernel",), ("closed notebook",)


def applications(desktop: str, notebook: str) -> dict[str, str]:
    """Return the files of the applications, with these images."""
    busy = "command: [sh, -c, 'while :; do :; done']\n"
    return {
        "quiet": _APPLICATION.format("quiet", "desktop", "command: [sleep, '300']\n", desktop, "light"),
        "busy": _APPLICATION.format("busy", "desktop", busy, desktop, "light"),
        "lab": _APPLICATION.format("lab", "notebook", "", notebook, "ample"),
        "sizes": SIZES,
    }


def require_right_ends_of_desktops(scenes: Scenes) -> None:
    """Check desktops that are used, shown, left alone, and busy."""
    # used at once: what is not used in time ends
    scenes.open_desktop("keys", "quiet", KEY_A)
    scenes.open_desktop("pointer", "quiet", *POINTER)
    scenes.names["processor"] = scenes.anna.launch("busy")
    scenes.open_desktop("open desktop", "quiet", ASK_FOR_UPDATE)
    scenes.names["closed desktop"] = scenes.anna.launch("quiet")
    _require(scenes, DESKTOPS_KEPT, DESKTOPS_ENDED)


def require_right_ends_of_notebooks(scenes: Scenes) -> None:
    """Check a notebook whose kernel waits for something, and one whose page was opened and left."""
    scenes.names["kernel"] = scenes.anna.launch("lab")
    sleep_in_a_kernel(scenes.anna, scenes.names["kernel"])
    scenes.names["closed notebook"] = scenes.anna.launch("lab")
    look_at_a_notebook(scenes.anna, scenes.names["closed notebook"])
    _require(scenes, NOTEBOOKS_KEPT, NOTEBOOKS_ENDED)


def _require(scenes: Scenes, kept: tuple[str, ...], ended: tuple[str, ...]) -> None:
    """Check that what nobody uses ends and says why, and that the rest runs for longer than that; then stop it."""
    begun = time.monotonic()
    for scene in ended:
        scenes.wait(lambda scene=scene: scenes.state(scene) == "ended", IDLE_S + 40)  # type: ignore[misc]
        assert scenes.notice(scene) == f"It was idle for {IDLE_S} seconds.", scene
    time.sleep(max(0.0, begun + IDLE_S + 10 - time.monotonic()))
    assert {scene: scenes.state(scene) for scene in kept} == dict.fromkeys(kept, "running")
    for scene in kept:
        scenes.anna.stop(scenes.names[scene])
