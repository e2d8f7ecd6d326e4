"""No leases in a session: one on a file of a read-only mount would delay, up to 45 s, whoever opens it to write.

A sandbox's filter refuses them (`spawners/sandbox/seccomp.py`). In a container the first program of the session adds
this filter to the engine's own; every other program inherits it, and none can remove it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

#: The commands of fcntl: F_SETLEASE, and F_SETDELEG, which is the same for directories, too.
LEASE_COMMANDS = (1024, 1040)

#: Numbers of fcntl and fcntl64 by architecture: x86-64 (with x32), i386, arm64, arm.
_CALLS = {
    0xC000003E: (72, 72 | 0x40000000),
    0x40000003: (55, 221),
    0xC00000B7: (25,),
    0x40000028: (55, 221),
}
_PR_SET_SECCOMP, _MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
# instructions of the classic BPF: load a word, jump if equal, return
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
# offsets in struct seccomp_data; both architectures with 64 bits are little-endian
_NUMBER, _ARCHITECTURE, _SECOND_ARGUMENT = 0, 4, 24


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def forbid_leases() -> None:
    """Refuse leases to this thread, and to all threads and programs it starts.

    Raises:
        OSError: the kernel does not take the filter.
    """
    code = lease_filter()
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot forbid leases: {os.strerror(number)}")


def lease_filter() -> bytes:
    """Return the filter's instructions."""
    code: list[tuple[int, int, int, int]] = []
    for architecture, numbers in _CALLS.items():
        refusal = len(LEASE_COMMANDS) + 1
        block = [(_LOAD, 0, 0, _NUMBER)]
        # from here to the load of the command, over the remaining numbers and the "allow" after them
        block += [(_JUMP_IF_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
        block += [(_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _SECOND_ARGUMENT)]
        block += [(_JUMP_IF_EQUAL, refusal - index - 1, 0, one) for index, one in enumerate(LEASE_COMMANDS)]
        block += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EACCES)]
        code += [(_LOAD, 0, 0, _ARCHITECTURE), (_JUMP_IF_EQUAL, 0, len(block), architecture), *block]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *one) for one in code)
