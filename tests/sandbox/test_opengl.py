"""silx draws with OpenGL in a sandbox, under its system call filter; tests/images does the same with silx's image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.live_portal import Portal
from tests.not_tried import missing
from tests.sandbox.probe import probing

pytestmark = pytest.mark.sandbox

#: It imports silx, which the tests' own environment has not.
SCRIPT = Path(__file__).with_name("opengl_plot.py")
#: Debian's, which has silx, Qt and PyOpenGL.
PYTHON = "/usr/bin/python3"


@pytest.fixture
def silx() -> None:
    """Skip where the machine has no silx with OpenGL."""
    said = subprocess.run(
        [PYTHON, "-c", "import silx.gui.qt, OpenGL.GL"], capture_output=True, text=True, timeout=60, check=False
    )
    if said.returncode:
        missing("silx", f"{PYTHON} has no silx with OpenGL (apt-get install python3-silx): {said.stderr[-200:]}")


def test_silx_draws_with_opengl(portal: Portal, silx: None) -> None:
    """Mesa's software renderer, which compiles its shaders to machine code; it may use none of what is refused."""
    script = (
        f"cat > $HOME/plot.py <<'END'\n{SCRIPT.read_text()}\nEND\n{PYTHON} $HOME/plot.py 2> $HOME/plot.err; echo $?\n"
    )
    with probing(portal.login("anna"), "anna", script) as probe:
        said = probe.output()
    errors = (portal.state / "homes" / "anna" / "plot.err").read_text()
    assert "backend BackendOpenGL\ncolours True\nrenderer llvmpipe" in said, said + errors
    assert said.endswith("\n0\n"), said + errors
