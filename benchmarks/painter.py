"""A full-screen X11 program that paints 60 whole frames a second, or answers each key with a small rectangle.

It runs alone inside a session (`python3 -c`), so it needs nothing but Python and libX11. Keys: ``p`` starts the
painting, ``s`` stops it, any other key repaints a corner in the other of two colours.
"""

import ctypes
import math
import random
import select
import time

FRAMES_PER_S = 60
TILE = 256
PLAY, STOP = 0x70, 0x73
#: What a key repaints: x, y, width, height.
ANSWER = (100, 100, 40, 24)
KEY_PRESS, KEY_PRESS_MASK, Z_PIXMAP, FILL_TILED, ASYNC = 2, 1, 2, 1, 1

X = ctypes.CDLL("libX11.so.6")
for name, result in {
    "XOpenDisplay": ctypes.c_void_p,
    "XCreateGC": ctypes.c_void_p,
    "XCreateImage": ctypes.c_void_p,
    "XDefaultVisual": ctypes.c_void_p,
    "XDefaultRootWindow": ctypes.c_ulong,
    "XCreateSimpleWindow": ctypes.c_ulong,
    "XCreatePixmap": ctypes.c_ulong,
    "XLookupKeysym": ctypes.c_ulong,
}.items():
    getattr(X, name).restype = result


class Attributes(ctypes.Structure):
    """XSetWindowAttributes, of which only `override_redirect` is used."""

    _fields_ = (
        [(f"before{n}", ctypes.c_ulong) for n in range(4)]
        + [(f"gravity{n}", ctypes.c_int) for n in range(3)]
        + [(f"planes{n}", ctypes.c_ulong) for n in range(2)]
        + [("save_under", ctypes.c_int), ("event_mask", ctypes.c_long), ("do_not_propagate", ctypes.c_long)]
        + [("override_redirect", ctypes.c_int), ("colormap", ctypes.c_ulong), ("cursor", ctypes.c_ulong)]
    )


def tile_pixels() -> bytes:
    """A tile between a plot and a photograph: waves of colour with some noise, 32 bits a pixel."""
    rng = random.Random(1)
    pixels = bytearray()
    for y in range(TILE):
        for x in range(TILE):
            wave = 110 + 70 * math.sin(2 * math.pi * (x + 2 * y) / TILE) + rng.randrange(NOISE)
            ring = 110 + 70 * math.sin(2 * math.pi * (3 * x - y) / TILE) + rng.randrange(NOISE)
            pixels += bytes((int(wave), int(ring), int(wave + ring) // 2, 0))
    return bytes(pixels)


NOISE = 12


class Painter:
    """The window, its tile, and whether it is painting."""

    def __init__(self) -> None:
        """Open the display and cover it."""
        self.display = ctypes.c_void_p(X.XOpenDisplay(None))
        if not self.display:
            raise SystemExit("no display")
        self.root = ctypes.c_ulong(X.XDefaultRootWindow(self.display))
        # Larger than any screen, so that a resize needs no answer.
        self.window = ctypes.c_ulong(X.XCreateSimpleWindow(self.display, self.root, 0, 0, 4096, 4096, 0, 0, 0x506070))
        attributes = Attributes(override_redirect=1)
        X.XChangeWindowAttributes(self.display, self.window, ctypes.c_ulong(1 << 9), ctypes.byref(attributes))
        X.XStoreName(self.display, self.window, b"painter")
        X.XSelectInput(self.display, self.window, ctypes.c_long(KEY_PRESS_MASK))
        X.XMapRaised(self.display, self.window)
        self.context = ctypes.c_void_p(X.XCreateGC(self.display, self.window, ctypes.c_ulong(0), None))
        self.solid = ctypes.c_void_p(X.XCreateGC(self.display, self.window, ctypes.c_ulong(0), None))
        self.use_tile()
        self.is_painting, self.frame, self.keys = False, 0, 0

    def use_tile(self) -> None:
        """Put the tile on the server, where every frame is filled from it."""
        self.pixels = ctypes.create_string_buffer(tile_pixels(), TILE * TILE * 4)
        visual = ctypes.c_void_p(X.XDefaultVisual(self.display, 0))
        image = X.XCreateImage(self.display, visual, 24, Z_PIXMAP, 0, self.pixels, TILE, TILE, 32, 0)
        tile = ctypes.c_ulong(X.XCreatePixmap(self.display, self.window, TILE, TILE, 24))
        X.XPutImage(self.display, tile, self.context, ctypes.c_void_p(image), 0, 0, 0, 0, TILE, TILE)
        X.XSetTile(self.display, self.context, tile)
        X.XSetFillStyle(self.display, self.context, FILL_TILED)

    def paint(self) -> None:
        """Paint one whole frame, a little further along, and wait until the server has done it."""
        self.frame += 1
        X.XSetTSOrigin(self.display, self.context, 5 * self.frame % TILE, 3 * self.frame % TILE)
        X.XFillRectangle(self.display, self.window, self.context, 0, 0, 4096, 4096)
        X.XSync(self.display, 0)

    def answer(self, event: "ctypes.Array[ctypes.c_char]") -> None:
        """Act on one key."""
        key = X.XLookupKeysym(event, 0)
        if key in (PLAY, STOP):
            self.is_painting = key == PLAY
            return
        self.keys += 1
        X.XSetForeground(self.display, self.solid, ctypes.c_ulong(0xC04020 if self.keys % 2 else 0x20C040))
        X.XFillRectangle(self.display, self.window, self.solid, *ANSWER)
        X.XFlush(self.display)

    def grab(self) -> None:
        """Take the keyboard; the window manager may hold it for a moment."""
        while X.XGrabKeyboard(self.display, self.window, 1, ASYNC, ASYNC, ctypes.c_ulong(0)) != 0:
            time.sleep(0.05)

    def run(self) -> None:
        """Answer keys and paint until the display goes away."""
        self.grab()
        event = ctypes.create_string_buffer(192)
        due = time.monotonic()
        while True:
            while X.XPending(self.display):
                X.XNextEvent(self.display, event)
                if int.from_bytes(event.raw[:4], "little") == KEY_PRESS:
                    self.answer(event)
            wait = None
            if self.is_painting:
                now = time.monotonic()
                if now >= due:
                    self.paint()
                    due = max(due + 1 / FRAMES_PER_S, now)
                    continue
                wait = due - now
            select.select([X.XConnectionNumber(self.display)], [], [], wait)


if __name__ == "__main__":
    Painter().run()
