"""Human input in a viewer's byte stream: told rightly for every message, however the stream is cut into pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.session.desktop.rfb import HANDSHAKE_BYTES, ClientMessages

HANDSHAKE = b"RFB 003.008\n\x01\x01"


def set_encodings(count: int) -> bytes:
    return b"\x02\x00" + count.to_bytes(2, "big") + b"\xff\xff\xff\xff" * count


def cut_text(text: bytes) -> bytes:
    return b"\x06\0\0\0" + len(text).to_bytes(4, "big") + text


def extended_clipboard(content: bytes) -> bytes:
    return b"\x06\0\0\0" + (-len(content)).to_bytes(4, "big", signed=True) + content


def fence(payload: bytes) -> bytes:
    return b"\xf8\0\0\0\0\0\0\0" + bytes([len(payload)]) + payload


def desktop_size(screens: int) -> bytes:
    return b"\xfb\0\x05\0\x04\0" + bytes([screens, 0]) + bytes(16 * screens)


#: message -> whether a person sent it
MESSAGES = {
    "SetPixelFormat": (b"\x00" + bytes(19), False),
    "SetEncodings, none": (set_encodings(0), False),
    "SetEncodings, many": (set_encodings(40), False),
    "FramebufferUpdateRequest": (b"\x03" + bytes(9), False),
    "EnableContinuousUpdates": (b"\x96" + bytes(9), False),
    "fence": (fence(b"\x04\x05\x06\xff"), False),
    "fence, empty": (fence(b""), False),
    "SetDesktopSize": (desktop_size(1), False),
    "SetDesktopSize, three screens": (desktop_size(3), False),
    "KeyEvent": (b"\x04\x01\0\0\0\0\0a", True),
    "PointerEvent": (b"\x05\x01\0\x10\0\x10", True),
    "PointerEvent, extended buttons": (b"\x05\x81\0\x10\0\x10\x01", True),
    "ClientCutText": (cut_text(b"copied \x00\x03\x04 text"), True),
    "ClientCutText, empty": (cut_text(b""), True),
    "extended clipboard": (extended_clipboard(b"\x01\0\0\x01zlib"), True),
    "QEMU key": (b"\xff\x00\x00\x01" + bytes(8), True),
}
PROGRAM = [message for message, human in MESSAGES.values() if not human]


def heard(stream: bytes, *cuts: int) -> bool:
    """Return whether human input was heard in the stream, cut at these places."""
    messages = ClientMessages()
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(places)]
    return any([messages.has_human_input(piece) for piece in pieces])  # noqa: C419  # every piece is taken


@pytest.mark.parametrize("name", MESSAGES)
def test_each_message_is_reported_rightly(name: str) -> None:
    message, human = MESSAGES[name]
    assert heard(HANDSHAKE + message) is human


@pytest.mark.parametrize("name", MESSAGES)
def test_the_next_message_begins_where_this_one_ends(name: str) -> None:
    """A key after it is heard; and a thousand requests after it are not taken for one."""
    message, _ = MESSAGES[name]
    messages = ClientMessages()
    messages.has_human_input(HANDSHAKE + message)
    assert not messages.has_human_input(MESSAGES["FramebufferUpdateRequest"][0] * 1000)
    assert messages.has_human_input(MESSAGES["KeyEvent"][0])


def test_the_handshake_is_nobody() -> None:
    assert len(HANDSHAKE) == HANDSHAKE_BYTES
    assert not heard(HANDSHAKE)
    assert not heard(HANDSHAKE[:5])
    assert not heard(b"")


def test_a_viewer_left_alone_all_night_is_idle() -> None:
    """An open tab asks for updates for ever: nobody is there."""
    messages = ClientMessages()
    assert not messages.has_human_input(HANDSHAKE + set_encodings(20))
    asked = MESSAGES["FramebufferUpdateRequest"][0] + MESSAGES["fence"][0]
    assert not any(messages.has_human_input(asked) for _ in range(20_000))


@pytest.mark.parametrize("kind", [1, 7, 100, 249, 250, 254])
def test_after_an_unknown_message_everything_is_human(kind: int) -> None:
    """A mistake costs an hour of an idle session, not somebody's work."""
    messages = ClientMessages()
    assert messages.has_human_input(HANDSHAKE + bytes([kind]) + bytes(30))
    assert messages.has_human_input(MESSAGES["FramebufferUpdateRequest"][0])


def test_an_unknown_qemu_message_is_unknown() -> None:
    assert heard(HANDSHAKE + b"\xff\x01" + bytes(10))


def test_a_gigabyte_of_clipboard_is_announced_but_not_kept() -> None:
    """H8': only the head of a message is remembered, whatever its length says."""
    messages = ClientMessages()
    assert messages.has_human_input(HANDSHAKE + b"\x06\0\0\0\x7f\xff\xff\xff")
    assert not messages.has_human_input(bytes(1_000_000))
    assert len(messages._head) == 0


streams = st.lists(st.sampled_from(sorted(message for message, _ in MESSAGES.values())), max_size=6).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(streams, st.data())
def test_cutting_a_stream_anywhere_gives_the_same_answer(stream: bytes, data: st.DataObject) -> None:
    whole = HANDSHAKE + stream
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=12))
    assert heard(whole, *cuts) == heard(whole) == heard(whole, *range(len(whole)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.data())
def test_any_bytes_in_any_pieces_give_an_answer(stream: bytes, data: st.DataObject) -> None:
    """Fuzz: no exception, and a cut changes nothing, not even for nonsense."""
    whole = HANDSHAKE + stream
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=6))
    assert heard(whole, *cuts) == heard(whole)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PROGRAM), max_size=20).map(b"".join), st.integers(1, 40))
def test_what_programs_send_is_never_human(stream: bytes, step: int) -> None:
    whole = HANDSHAKE + stream
    assert not heard(whole, *range(0, len(whole), step))
