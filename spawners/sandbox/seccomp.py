"""The system call filter of a sandbox: compiled once per hub by libseccomp, and applied by bubblewrap to each session.

Bubblewrap installs it just before it runs the session's first program, when everything is mounted. It holds for every
process of the session, and none can remove it.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import importlib
import os
import socket
import tempfile
from typing import Any

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.sandbox.syscalls import ALLOWED, NOT_PERMITTED

#: Families of sockets: local ones, the loopback of the session's own network, and its list of interfaces.
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
_NETLINK_ROUTE = 0
#: Families that the kernel may know; a number beyond is refused, too.
_FAMILY_NUMBERS = range(64)
#: The flags of clone that create namespaces: mount, cgroup, uts, ipc, user, pid, network.
NAMESPACE_FLAGS = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
#: Linux without changes, and the question which one it is.
PERSONALITIES = (0, 0xFFFFFFFF)
#: Requests that put characters into a terminal's input.
TERMINAL_INPUT = {"TIOCSTI": 0x5412, "TIOCLINUX": 0x541C}
#: Commands of fcntl that lease a file (F_SETLEASE, F_SETDELEG): the acquisition would wait for its end.
LEASE_COMMANDS = (1024, 1040)
_LOW_32_BITS = 0xFFFFFFFF


def seccomp_problem() -> ConfigurationError | None:
    """Compile the filters; return why that failed, or None."""
    try:
        _files()
    except ConfigurationError as problem:
        return problem
    return None


def open_filters() -> tuple[int, ...]:
    """Return a new descriptor of each filter, for one bubblewrap. The caller closes them.

    Raises:
        ConfigurationError: the filters cannot be compiled here.
    """
    # each has an offset of its own: sandboxes that start together must not read one another's
    return tuple(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC) for fd in _files())


@functools.cache
def _files() -> tuple[int, ...]:
    """Return the compiled filters in sealed memory; they are kept for as long as the hub runs."""
    try:
        library: Any = importlib.import_module("pyseccomp")
    except (ImportError, RuntimeError, OSError) as error:
        raise ConfigurationError(
            "JupyterHub.spawner_class",
            "sandbox",
            f"cannot filter the system calls of sessions: {error}",
            remedy="apt-get install libseccomp2, and install daas-hub with the extra 'session' (pyseccomp).",
        ) from error
    if library.system_arch() not in (library.Arch.X86_64, library.Arch.AARCH64):
        raise ConfigurationError(
            "JupyterHub.spawner_class",
            "sandbox",
            "has no system call filter for this processor",
            remedy="Use x86-64 or arm64, or containers.",
        )
    return tuple(_sealed(one) for one in (_calls(library), _requests(library)))


def _calls(library: Any) -> Any:
    """Return the filter that allows the listed calls, and some others with some arguments."""
    filter_ = _filter(library, library.ERRNO(errno.ENOSYS))
    for name in ALLOWED:
        _add(library, filter_, library.ALLOW, name)
    not_permitted = library.ERRNO(errno.EPERM)
    for name in NOT_PERMITTED:
        _add(library, filter_, not_permitted, name)
    for number in PERSONALITIES:
        _add(library, filter_, library.ALLOW, "personality", library.Arg(0, library.EQ, number))
    # clone3 has its flags in memory, where a filter cannot see them; programs use clone without it
    _add(library, filter_, library.ALLOW, "clone", library.Arg(0, library.MASKED_EQ, sum(NAMESPACE_FLAGS), 0))
    for flag in NAMESPACE_FLAGS:
        _add(library, filter_, not_permitted, "clone", library.Arg(0, library.MASKED_EQ, flag, flag))
    for name in ("socket", "socketpair"):
        _add_families(library, filter_, name)
    return filter_


def _add_families(library: Any, filter_: Any, name: str) -> None:
    for family in FAMILIES:
        _add(library, filter_, library.ALLOW, name, library.Arg(0, library.EQ, family))
    route = (library.Arg(0, library.EQ, socket.AF_NETLINK), library.Arg(2, library.EQ, _NETLINK_ROUTE))
    _add(library, filter_, library.ALLOW, name, *route)
    no_family = library.ERRNO(errno.EAFNOSUPPORT)
    for number in _FAMILY_NUMBERS:
        if number not in (*FAMILIES, socket.AF_NETLINK):
            _add(library, filter_, no_family, name, library.Arg(0, library.EQ, number))


def _requests(library: Any) -> Any:
    """Return the filter that refuses some requests of ioctl and fcntl: the other one cannot say "all but these"."""
    filter_ = _filter(library, library.ALLOW)
    for command in LEASE_COMMANDS:
        # as for a file of somebody else, which programs expect
        argument = library.Arg(1, library.MASKED_EQ, _LOW_32_BITS, command)
        _add(library, filter_, library.ERRNO(errno.EACCES), "fcntl", argument)
    for request in TERMINAL_INPUT.values():
        # the kernel ignores the upper half of a request, so it is ignored here
        argument = library.Arg(1, library.MASKED_EQ, _LOW_32_BITS, request)
        _add(library, filter_, library.ERRNO(errno.EPERM), "ioctl", argument)
    return filter_


def _filter(library: Any, default_action: int) -> Any:
    filter_ = library.SyscallFilter(default_action)
    # 32-bit programs, x32 included, have other numbers for calls: none of theirs exists
    filter_.set_attr(library.Attr.ACT_BADARCH, library.ERRNO(errno.ENOSYS))
    # a binary search instead of a list of 350 comparisons, for kernels that do not cache the result (before 5.11)
    filter_.set_attr(library.Attr.CTL_OPTIMIZE, 2)
    return filter_


def _add(library: Any, filter_: Any, action: int, name: str, *arguments: Any) -> None:
    number = library.resolve_syscall(library.system_arch(), name)
    # unknown to this libseccomp, or a call of another architecture: it does not exist for sessions
    if number >= 0:
        filter_.add_rule_exactly(action, number, *arguments)


def _sealed(filter_: Any) -> int:
    """Return the filter's program in memory that nobody can change."""
    fd = os.memfd_create("seccomp", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        # exported to a file: libseccomp does not say how large a program is
        filter_.export_bpf(file)
        file.seek(0)
        os.write(fd, file.read())
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
