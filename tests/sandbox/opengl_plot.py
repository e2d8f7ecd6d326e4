"""Run inside a session: draw a picture with silx's OpenGL backend, and print which renderer drew it."""

from __future__ import annotations

import sys
import time

import numpy
from silx.gui import qt
from silx.gui.plot import PlotWidget

BACKEND = "gl"


def main() -> int:
    application = qt.QApplication([])
    plot = PlotWidget(backend=BACKEND)
    plot.addImage(numpy.arange(10_000.0).reshape(100, 100))
    plot.resize(400, 300)
    plot.show()
    until = time.monotonic() + 30
    while time.monotonic() < until and not colours_of(plot):
        application.processEvents()
        time.sleep(0.05)
    # silx replaces a backend that does not work by another
    print("backend", type(plot.getBackend()).__name__)
    print("colours", len(colours_of(plot)) > 10)
    print("renderer", renderer_of(plot), flush=True)
    return 0


def surface_of(plot: PlotWidget) -> qt.QWidget:
    """Return the part of the plot's window that OpenGL draws."""
    return next(one for one in plot.getBackend().findChildren(qt.QWidget) if hasattr(one, "grabFramebuffer"))


def colours_of(plot: PlotWidget) -> set[int]:
    """Return the colours of the picture that was drawn."""
    drawn = surface_of(plot).grabFramebuffer()
    if drawn.isNull():
        return set()
    found = {drawn.pixel(x, y) for x in range(0, drawn.width(), 7) for y in range(0, drawn.height(), 7)}
    return found if len(found) > 1 else set()


def renderer_of(plot: PlotWidget) -> str:
    """Return what OpenGL says of itself in the plot's own context."""
    from OpenGL.GL import GL_RENDERER, glGetString

    surface_of(plot).makeCurrent()
    text: bytes = glGetString(GL_RENDERER)
    return text.decode()


if __name__ == "__main__":
    sys.exit(main())
