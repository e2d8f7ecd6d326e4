"""The client's messages of the remote framebuffer protocol, as far as they reveal human input.

A viewer requests updates by itself; only key, pointer and clipboard messages come from a person. (RFC 6143, 7.5, and
the community's list of extensions.)
"""

from __future__ import annotations

#: version (12), security type (1), ClientInit (1): what a client sends before its first message, without a password.
HANDSHAKE_BYTES = 14

_FIXED = {0: 20, 3: 10, 4: 8, 150: 10}
_KEY, _POINTER, _CUT_TEXT, _QEMU = 4, 5, 6, 255
_HUMAN = frozenset({_KEY, _POINTER, _CUT_TEXT, _QEMU})
_LONGEST_HEAD = 12


class ClientMessages:
    """Parses a client's byte stream, in pieces of any length, and detects human input."""

    def __init__(self) -> None:
        self._skip = HANDSHAKE_BYTES
        self._head = b""
        self._lost = False

    def has_human_input(self, piece: bytes) -> bool:
        """Return whether the next piece of the stream contains human input.

        After an unknown message everything counts as human: a mistake costs some time of an idle session, and nobody's
        work.
        """
        if self._lost:
            return True
        human = False
        if self._skip >= len(piece):
            self._skip -= len(piece)
            return False
        view = self._head + piece[self._skip :]
        self._skip = 0
        self._head = b""
        at = 0
        while at < len(view):
            length = _length(view[at : at + _LONGEST_HEAD])
            if length is None:
                self._head = view[at:]
                break
            if length <= 0:
                self._lost = True
                return True
            human = human or view[at] in _HUMAN
            at += length
        self._skip = max(0, at - len(view))
        return human


def _length(head: bytes) -> int | None:  # noqa: PLR0911  # one line a message
    """Return the length of the message that begins so; None if more bytes are needed, 0 if it is unknown."""
    kind = head[0]
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == _POINTER:  # the top bit of the buttons marks a seventh byte (extended mouse buttons)
        return (7 if head[1] & 0x80 else 6) if len(head) >= 2 else None
    if kind == 2:  # SetEncodings
        return 4 + 4 * int.from_bytes(head[2:4], "big") if len(head) >= 4 else None
    if kind == _CUT_TEXT:  # a negative length marks the extended clipboard
        return 8 + abs(int.from_bytes(head[4:8], "big", signed=True)) if len(head) >= 8 else None
    if kind == 248:  # fence
        return 9 + head[8] if len(head) >= 9 else None
    if kind == 251:  # SetDesktopSize
        return 8 + 16 * head[6] if len(head) >= 7 else None
    if kind == _QEMU:  # extended key event
        if len(head) < 2:
            return None
        return 12 if head[1] == 0 else 0
    return 0
