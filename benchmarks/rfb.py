"""A small blocking RFB 3.8 client: it asks for updates, types keys and measures; Tight is parsed, not decoded."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass

from .streams import ByteStream

RAW, COPY_RECT, TIGHT = 0, 1, 7
LAST_RECT, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE = -224, -223, -308
JPEG_QUALITY_6, COMPRESSION_2 = -32 + 6, -256 + 2
NOVNC_TIGHT = (TIGHT, JPEG_QUALITY_6, COMPRESSION_2, LAST_RECT, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE)
PLAIN_RAW = (RAW, LAST_RECT, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE)
PIXEL_BYTES = 4
LOOK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Update:
    """One FramebufferUpdate: how many pixels it painted, whether any was not black (raw only), and each rectangle."""

    pixels: int
    has_light: bool
    rectangles: frozenset[tuple[int, int, int, int]]


class RfbClient:
    """One RFB connection without a password; every method blocks until it is done."""

    def __init__(self, stream: ByteStream) -> None:
        """Shake hands on ``stream`` and ask for 32-bit pixels."""
        self.stream = stream
        self._scratch = memoryview(bytearray(1024 * 1024))
        self._screens = bytes(16)
        self._shake_hands()
        self.width, self.height = struct.unpack(">HH", stream.read(4))
        stream.read(16)
        self.name = stream.read(struct.unpack(">I", stream.read(4))[0]).decode(errors="replace")
        pixel_format = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
        stream.send(struct.pack(">B3x", 0) + pixel_format)

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def set_encodings(self, encodings: tuple[int, ...]) -> None:
        """Say which encodings and pseudo-encodings this client takes, best first."""
        self.stream.send(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    def request(self, *, incremental: bool, row: int | None = None) -> None:
        """Ask for one update of the whole screen, or of one row of it."""
        top, height = (0, self.height) if row is None else (row, 1)
        self.stream.send(struct.pack(">BBHHHH", 3, incremental, 0, top, self.width, height))

    def press(self, keysym: int) -> None:
        """Press and release one key."""
        self.stream.send(struct.pack(">BBxxI", 4, 1, keysym) + struct.pack(">BBxxI", 4, 0, keysym))

    def resize(self, width: int, height: int, timeout_s: float = 10) -> None:
        """Set the size of the screen and wait until the server has it."""
        deadline = time.monotonic() + timeout_s
        self.set_encodings(PLAIN_RAW)
        self.request(incremental=False)
        self.read_update()
        if (self.width, self.height) == (width, height):
            return
        screen = self._screens[:4] + struct.pack(">HHHHI", 0, 0, width, height, 0)
        self.stream.send(struct.pack(">BxHHBx", 251, width, height, 1) + screen)
        while (self.width, self.height) != (width, height):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the screen stays at {self.width}x{self.height}")
            self.request(incremental=True)
            self.read_update()

    def read_screen(self) -> None:
        """Ask for the whole screen without losses, and wait for it."""
        self.set_encodings(PLAIN_RAW)
        self.request(incremental=False)
        pixels = 0
        while pixels < self.width * self.height:
            pixels += self.read_update().pixels
            # the first answer has only the size
            if not pixels:
                self.request(incremental=True)

    def wait_for_light(self, row: int | None = None) -> None:
        """Ask for updates until one has a pixel that is not black, anywhere or in one row."""
        self.set_encodings(PLAIN_RAW)
        self.request(incremental=False, row=row)
        while not self.read_update().has_light:
            self.request(incremental=True, row=row)

    def read_update(self) -> Update:
        """Wait for one whole FramebufferUpdate; other messages are read and dropped."""
        while (kind := self.stream.read(1)[0]) != 0:
            self._drop_message(kind)
        (count,) = struct.unpack(">xH", self.stream.read(3))
        pixels, has_light, rectangles = 0, False, set()
        for _ in range(count):
            x, y, width, height, encoding = struct.unpack(">HHHHi", self.stream.read(12))
            if encoding == LAST_RECT:
                break
            if encoding == RAW:
                has_light |= self._read_raw(width * height * PIXEL_BYTES)
            elif encoding == TIGHT:
                self._read_tight(width, height)
            elif encoding == COPY_RECT:
                self.stream.read(4)
            else:
                self._read_resize(encoding, width, height, status=y)
                continue
            pixels += width * height
            rectangles.add((x, y, width, height))
        return Update(pixels, has_light, frozenset(rectangles))

    def _shake_hands(self) -> None:
        version = self.stream.read(12)
        if not version.startswith(b"RFB 003."):
            raise ConnectionError(f"not an RFB server: {version!r}")
        self.stream.send(b"RFB 003.008\n")
        offered = self.stream.read(self.stream.read(1)[0])
        if 1 not in offered:
            raise ConnectionError(f"the server asks for a password: security types {list(offered)}")
        self.stream.send(b"\x01")
        if self.stream.read(4) != b"\0\0\0\0":
            raise ConnectionError("the server refused the connection")
        self.stream.send(b"\x01")

    def _read_raw(self, size: int) -> bool:
        """Read ``size`` bytes of pixels; whether the first of them hold any light (the unused byte is zero too)."""
        self._skip(size)
        return bool(self._scratch[: min(size, LOOK_BYTES)].tobytes().strip(b"\0"))

    def _skip(self, size: int) -> None:
        if size > len(self._scratch):
            self._scratch = memoryview(bytearray(size))
        self.stream.read_into(self._scratch[:size])

    def _compact(self) -> int:
        """Read Tight's length of one to three bytes."""
        length = 0
        for shift in (0, 7, 14):
            byte = self.stream.read(1)[0]
            length |= (byte & (0x7F if shift < 14 else 0xFF)) << shift
            if shift < 14 and not byte & 0x80:
                break
        return length

    def _read_tight(self, width: int, height: int) -> None:
        """Step over one Tight rectangle."""
        control = self.stream.read(1)[0] >> 4
        if control == 8:
            self.stream.read(3)
            return
        if control == 9:
            self._skip(self._compact())
            return
        size = width * height * 3
        if control & 4:
            filter_kind = self.stream.read(1)[0]
            if filter_kind == 1:
                colours = self.stream.read(1)[0] + 1
                self.stream.read(colours * 3)
                size = (width + 7) // 8 * height if colours == 2 else width * height
        self._skip(size if size < 12 else self._compact())

    def _read_resize(self, encoding: int, width: int, height: int, status: int) -> None:
        if encoding == EXTENDED_DESKTOP_SIZE:
            screens = self.stream.read(1)[0]
            self._screens = self.stream.read(3 + 16 * screens)[3:]
            if status:
                raise ConnectionError(f"the server refused the size {width}x{height}: status {status}")
        elif encoding != DESKTOP_SIZE:
            raise ConnectionError(f"unexpected encoding {encoding}")
        self.width, self.height = width, height

    def _drop_message(self, kind: int) -> None:
        """Read a message that is not an update: a colour map, a bell, a cut text."""
        if kind == 1:
            self.stream.read(6 * struct.unpack(">xxxH", self.stream.read(5))[0])
        elif kind == 3:
            self.stream.read(abs(struct.unpack(">xxxi", self.stream.read(7))[0]))
        elif kind != 2:
            raise ConnectionError(f"unexpected message {kind}")
