"""Runs a seccomp program as the kernel does, without making the calls: classic BPF, and of it what libseccomp emits."""

from __future__ import annotations

import struct
from collections.abc import Sequence

ALLOW = 0x7FFF0000
_AUDIT_ARCH_X86_64 = 0xC000003E
AUDIT_ARCH_I386 = 0x40000003


def verdict(program: bytes, number: int, args: Sequence[int] = (), *, arch: int = _AUDIT_ARCH_X86_64) -> int:
    """Return the action for a call: `ALLOW`, or 0x50000 and an error number."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *[*args, 0, 0, 0, 0, 0, 0][:6])
    instructions = list(struct.iter_unpack("<HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, k = instructions[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x54:
                accumulator &= k
            case 0x05:
                at += k
            case 0x15 | 0x25 | 0x35:
                is_true = {0x15: accumulator == k, 0x25: accumulator > k, 0x35: accumulator >= k}[code]
                at += if_true if is_true else if_false
            case 0x06:
                return k
            case _:
                raise AssertionError(f"instruction {code:#x}")


def error_of(action: int) -> int:
    """Return the error number of an action, or 0 for a call that is allowed."""
    assert action == ALLOW or action >> 16 == 5, hex(action)
    return 0 if action == ALLOW else action & 0xFFFF
