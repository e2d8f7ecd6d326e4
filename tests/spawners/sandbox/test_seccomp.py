"""The system call filter: at least as strict as the engine's, call by call in real sandboxes, and what still works.

Applications run under it in tests/browser and tests/sandbox, as every session does.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import errno
import functools
import importlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyseccomp
import pytest
from traitlets.config import Config

from daas_hub.errors import ConfigurationError
from daas_hub.session import leases
from daas_hub.spawners.sandbox import seccomp
from daas_hub.spawners.sandbox.launch import build_sandbox
from daas_hub.spawners.sandbox.seccomp import NAMESPACE_FLAGS, TERMINAL_INPUT, open_filters, seccomp_problem
from daas_hub.spawners.sandbox.spawner import SandboxSpawner
from daas_hub.spawners.sandbox.syscalls import ALLOWED, NOT_PERMITTED
from daas_hub.storage import pin
from tests.spawners.sandbox.bpf import ALLOW, AUDIT_ARCH_I386, error_of, verdict
from tests.spawners.sandbox.sites import Site, site

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of calls are those of x86-64")

HERE = Path(__file__).parent
ENGINE = json.loads((HERE / "moby-28.2.2-seccomp.json").read_text())["profile"]


def number_of(name: str) -> int:
    """Return the number of a call; negative if this machine has none, or this libseccomp does not know it."""
    return pyseccomp.resolve_syscall(pyseccomp.Arch.X86_64, name)


@functools.cache
def programs() -> tuple[bytes, ...]:
    """Return the compiled filters, as bubblewrap gets them."""
    found = []
    for fd in open_filters():
        with os.fdopen(fd, "rb") as file:
            found.append(file.read())
    return tuple(found)


def filtered(number: int, *args: int, **more: int) -> int:
    """Return the error number of a call under all filters; 0 if it is allowed."""
    errors = [error_of(verdict(one, number, args, **more)) for one in programs()]
    return next((error for error in errors if error), 0)


# -- compared with the engine ---------------------------------------------------------------------------------------


def engine_rules() -> dict[str, list[dict[str, Any]]]:
    """Return the engine's rules for a container without capabilities on x86-64, by call."""
    rules: dict[str, list[dict[str, Any]]] = {}
    for rule in ENGINE["syscalls"]:
        needed, excluded = rule.get("includes", {}), rule.get("excludes", {})
        if (
            needed.get("caps")
            or "amd64" not in needed.get("arches", ["amd64"])
            or "amd64" in excluded.get("arches", [])
        ):
            continue
        if rule["action"] == "SCMP_ACT_ALLOW":
            for name in rule["names"]:
                rules.setdefault(name, []).append(rule)
    return rules


def test_the_engine_allows_all_of_them() -> None:
    """Nothing is allowed here that Docker's default profile refuses to a container without capabilities."""
    assert ENGINE["defaultAction"] == "SCMP_ACT_ERRNO"
    rules = engine_rules()
    assert [name for name in ALLOWED if not any(not rule.get("args") for rule in rules.get(name, []))] == []


def test_no_number_is_allowed_that_the_engine_refuses() -> None:
    """The same for the compiled program: every number there is, not the names we think of."""
    allowed_there = {number_of(name) for name in engine_rules()}
    allowed_here = {number for number in range(1024) if filtered(number) == 0}
    assert len(allowed_here) > 250
    assert allowed_here - allowed_there == set()


def test_no_lease_on_any_backend() -> None:
    """A container's first program refuses the same commands (`daas_hub.session.leases`)."""
    assert seccomp.LEASE_COMMANDS == leases.LEASE_COMMANDS
    refused = {command for command in range(2048) if filtered(number_of("fcntl"), 3, command)}
    assert refused == set(leases.LEASE_COMMANDS)


def test_a_call_is_allowed_or_refused_and_not_both() -> None:
    assert set(ALLOWED).isdisjoint(NOT_PERMITTED)
    assert [name for name in NOT_PERMITTED if number_of(name) >= 0 and filtered(number_of(name)) != errno.EPERM] == []
    assert [name for name in ALLOWED if number_of(name) >= 0 and filtered(number_of(name)) != 0] == []


def test_the_libseccomp_of_this_machine_knows_the_calls_that_matter() -> None:
    """A name that it does not know is refused; were it one of these, nothing would run."""
    for name in ("execve", "openat", "mmap", "futex", "epoll_wait", "recvmsg", "memfd_create", "statx", "rseq"):
        assert filtered(number_of(name)) == 0


#: A bit that the kernel does not look at: it reads 32 bits of these arguments.
BEYOND = 2**32
ARGUMENTS = {
    "a Unix socket": ("socket", (1, 1), 0),
    "an IPv4 socket": ("socket", (2, 1), 0),
    "an IPv6 socket": ("socket", (10, 1), 0),
    "the list of interfaces": ("socket", (16, 3, 0), 0),
    "events of devices": ("socket", (16, 3, 15), errno.ENOSYS),
    "AF_VSOCK": ("socket", (40, 1), errno.EAFNOSUPPORT),
    "AF_ALG": ("socket", (38, 5), errno.EAFNOSUPPORT),
    "AF_PACKET": ("socket", (17, 3), errno.EAFNOSUPPORT),
    "a pair of Unix sockets": ("socketpair", (1, 1), 0),
    "a pair of TIPC sockets": ("socketpair", (30, 1), errno.EAFNOSUPPORT),
    "AF_VSOCK with more bits": ("socket", (BEYOND + 40, 1), errno.ENOSYS),
    "a family nobody knows": ("socket", (200, 1), errno.ENOSYS),
    "fork": ("clone", (17,), 0),
    "a thread": ("clone", (0x3D0F00,), 0),
    "clone3": ("clone3", (0, 88), errno.ENOSYS),
    "personality of Linux": ("personality", (0,), 0),
    "the question for it": ("personality", (0xFFFFFFFF,), 0),
    "no randomisation": ("personality", (0x0040000,), errno.ENOSYS),
    "READ_IMPLIES_EXEC": ("personality", (0x0400000,), errno.ENOSYS),
    "window size": ("ioctl", (0, 0x5413), 0),
    **{name: ("ioctl", (0, request), errno.EPERM) for name, request in TERMINAL_INPUT.items()},
    **{f"{name} with more bits": ("ioctl", (0, BEYOND + one), errno.EPERM) for name, one in TERMINAL_INPUT.items()},
    **{f"clone with {flag:#x}": ("clone", (flag | 17,), errno.EPERM) for flag in NAMESPACE_FLAGS},
    "clone with all namespaces": ("clone", (sum(NAMESPACE_FLAGS) | BEYOND,), errno.EPERM),
}  # fmt: skip


@pytest.mark.parametrize(("name", "args", "error"), ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_calls_that_are_allowed_with_some_arguments(name: str, args: tuple[int, ...], error: int) -> None:
    assert filtered(number_of(name), *args) == error


def test_no_call_of_another_architecture_is_there() -> None:
    """x32 and 32-bit programs number their calls otherwise: their open could be our ptrace."""
    assert {filtered(number | 0x40000000) for number in range(1024)} == {errno.ENOSYS}
    assert {filtered(number, arch=AUDIT_ARCH_I386) for number in range(1024)} == {errno.ENOSYS}


def test_a_filter_cannot_be_changed_by_who_inherits_it() -> None:
    for fd in open_filters():
        with pytest.raises(PermissionError):
            os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_TRUNC)
        os.close(fd)
    one, other = open_filters(), open_filters()
    assert os.read(one[0], 8) == os.read(other[0], 8), "each has an offset of its own"
    for fd in (*one, *other):
        os.close(fd)


@pytest.fixture
def not_compiled_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the filters be compiled anew, by a library that is loaded anew."""
    compiled = seccomp._files
    monkeypatch.setattr(seccomp, "_files", functools.cache(compiled.__wrapped__))
    monkeypatch.delitem(sys.modules, "pyseccomp")


@pytest.mark.usefixtures("not_compiled_yet")
@pytest.mark.parametrize("missing", ["libseccomp", "pyseccomp"])
def test_without_the_library_the_hub_refuses_to_start(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """It does not start sessions without a filter instead."""
    if missing == "libseccomp":
        monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    else:
        monkeypatch.setitem(sys.modules, "pyseccomp", None)
    config = Config()
    config.JupyterHub.allow_named_servers = True
    config.JupyterHub.authenticator_class = "umbrella"
    (problem,) = SandboxSpawner.startup_problems(config)
    assert "cannot filter the system calls" in problem.message
    assert "apt-get install libseccomp2" in problem.remedy
    with pytest.raises(ConfigurationError, match="cannot filter the system calls"):
        open_filters()


@pytest.mark.usefixtures("not_compiled_yet")
def test_a_processor_without_a_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of clone's arguments is another one there (s390)."""
    library = importlib.import_module("pyseccomp")
    monkeypatch.setattr(library, "system_arch", lambda: library.Arch.S390X)
    problem = seccomp_problem()
    assert problem is not None
    assert "no system call filter for this processor" in problem.message


# -- in real sandboxes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call that is refused.

    Attributes:
        error: its error in a session.
        also: some kernels refuse it by themselves, with the same error: for want of a capability, or of a module.
    """

    name: str
    args: tuple[int | str, ...] = ()
    error: int = errno.EPERM
    also: bool = False


M = "memory"
CWD = 2**64 - 100
CALLS = {
    "io_uring": Call("io_uring_setup", (1, M), errno.ENOSYS),
    "io_uring_enter": Call("io_uring_enter", (2**32 - 1, 0, 0, 0), errno.ENOSYS),
    "io_uring_register": Call("io_uring_register", (2**32 - 1, 0, 0, 0), errno.ENOSYS),
    "userfaultfd": Call("userfaultfd", (1,)),
    "be traced": Call("ptrace", (0,)),
    "read another's memory": Call("process_vm_readv", ("me", M, 0, M, 0, 0)),
    "write another's memory": Call("process_vm_writev", ("me", M, 0, M, 0, 0)),
    "take another's file": Call("pidfd_getfd", (2**32 - 1, 0, 0)),
    "compare processes": Call("kcmp", ("me", "me", 0, 0, 0)),
    "advise another's memory": Call("process_madvise", (2**32 - 1, M, 1, 4, 0)),
    "add a key": Call("add_key", (M, M, M, 1, 2**32 - 3)),
    "find a key": Call("request_key", (M, M, 0, 0)),
    "a keyring": Call("keyctl", (0, 2**64 - 3, 0)),
    "AF_ALG": Call("socket", (38, 5, 0), errno.EAFNOSUPPORT, also=True),
    "AF_PACKET": Call("socket", (17, 3, 0), errno.EAFNOSUPPORT),
    "AF_VSOCK": Call("socket", (40, 1, 0), errno.EAFNOSUPPORT, also=True),
    "events of devices": Call("socket", (16, 3, 15), errno.ENOSYS),
    "personality": Call("personality", (0x0040000,), errno.ENOSYS),
    "modify_ldt": Call("modify_ldt", (0, M, 16)),
    "ports": Call("ioperm", (0, 1, 0)),
    "all ports": Call("iopl", (0,)),
    "a namespace by clone": Call("clone", (0x10000011, 0, 0, 0, 0)),
    "a mount namespace by clone": Call("clone", (0x20011, 0, 0, 0, 0), also=True),
    "clone3": Call("clone3", (M, 0), errno.ENOSYS),
    "unshare": Call("unshare", (0,)),
    "setns": Call("setns", (2**32 - 1, 0)),
    "open_tree": Call("open_tree", (CWD, "root", 0)),
    "fsconfig": Call("fsconfig", (2**32 - 1, 99, 0, 0, 0)),
    "mount": Call("mount", (M, M, M, 0, 0), also=True),
    "umount2": Call("umount2", (M, 0), also=True),
    "pivot_root": Call("pivot_root", (M, M), also=True),
    "move_mount": Call("move_mount", (CWD, M, CWD, M, 0), also=True),
    "fsopen": Call("fsopen", (M, 0), also=True),
    "fsmount": Call("fsmount", (2**32 - 1, 0, 0), also=True),
    "fspick": Call("fspick", (CWD, M, 0), also=True),
    "mount_setattr": Call("mount_setattr", (CWD, M, 0, M, 32), also=True),
    "chroot": Call("chroot", ("root",), also=True),
    "bpf": Call("bpf", (0, M, 2**20), also=True),
    "perf_event_open": Call("perf_event_open", (M, 0, 2**32 - 1, 2**32 - 1, 2**20)),
    "kexec_load": Call("kexec_load", (0, 0, 0, 0), also=True),
    "kexec_file_load": Call("kexec_file_load", (2**32 - 1, 0, 0, 0, 0), also=True),
    "init_module": Call("init_module", (M, 0, M), also=True),
    "finit_module": Call("finit_module", (2**32 - 1, M, 0), also=True),
    "delete_module": Call("delete_module", (M, 0), also=True),
    "open_by_handle_at": Call("open_by_handle_at", (2**32 - 1, M, 0), also=True),
    "quotactl": Call("quotactl", (0x123400, 0, 0, 0)),
    "quotactl_fd": Call("quotactl_fd", (2**32 - 1, 0x123400, 0, 0)),
    "swapon": Call("swapon", (M, 0), also=True),
    "swapoff": Call("swapoff", (M,), also=True),
    "reboot": Call("reboot", (0, 0, 0, 0), also=True),
    "acct": Call("acct", (M,), also=True),
    "the kernel's log": Call("syslog", (10, 0, 0), also=True),
    "fanotify": Call("fanotify_init", (0x200, 0)),
    "memory policy": Call("get_mempolicy", (0, 0, 0, 0, 0)),
    "set memory policy": Call("set_mempolicy", (0, 0, 0)),
    "bind memory": Call("mbind", (M, 0, 0, 0, 0, 0)),
    "move pages": Call("move_pages", (0, 0, 0, 0, 0, 0)),
    "migrate pages": Call("migrate_pages", (0, 0, 0, 0)),
    "set the clock": Call("clock_settime", (99, M)),
    "settimeofday": Call("settimeofday", (M, 0), also=True),
    "host name": Call("sethostname", (M, 1), also=True),
    "domain name": Call("setdomainname", (M, 1), also=True),
    "vhangup": Call("vhangup", (), also=True),
    "TIOCSTI": Call("ioctl", (2**32 - 1, 0x5412, M)),
    "TIOCSTI with more bits": Call("ioctl", (2**32 - 1, 2**32 + 0x5412, M)),
    "TIOCLINUX": Call("ioctl", (2**32 - 1, 0x541C, M)),
    "secret memory": Call("memfd_secret", (0,), errno.ENOSYS, also=True),
    "lease a file": Call("fcntl", (2**32 - 1, 1024, 0), errno.EACCES),
    "lease a directory": Call("fcntl", (2**32 - 1, 1040, 1), errno.EACCES),
    "ustat": Call("ustat", (0, M)),
}


@pytest.fixture(scope="module")
def storage(sandbox_works: None) -> Iterator[Site]:
    with site() as one:
        yield one


async def errors_in_a_sandbox(storage: Site, *, with_filter: bool) -> tuple[dict[str, int], int]:
    """Return the error of each call, and of a call as 32-bit programs make it."""
    calls = [(number_of(call.name), call.args) for call in CALLS.values()]
    (home,) = await pin((storage.home,))
    (storage.root / "home" / "calls.py").write_text((HERE / "calls.py").read_text())
    with tempfile.TemporaryFile() as output:
        command = ["/usr/bin/python3", "/home/anna/calls.py", json.dumps(calls)]
        launch = storage.launch(home, command=command, output=output)
        if not with_filter:
            with_filters = launch.argv
            launch = replace(launch, argv=lambda fds: with_filters(replace(fds, filters=())))
        code = await (await build_sandbox(launch)).wait()
        home.close()
        output.seek(0)
        text = output.read().decode()
    assert code == 0, text
    errors, of_32_bits = map(json.loads, text.splitlines())
    return dict(zip(CALLS, errors, strict=True)), of_32_bits


@pytest.fixture(scope="module")
def errors(storage: Site) -> tuple[dict[str, int], int]:
    return asyncio.run(errors_in_a_sandbox(storage, with_filter=True))


@pytest.fixture(scope="module")
def errors_without(storage: Site) -> tuple[dict[str, int], int]:
    return asyncio.run(errors_in_a_sandbox(storage, with_filter=False))


@pytest.mark.sandbox
@pytest.mark.parametrize("what", CALLS)
def test_a_session_cannot(
    errors: tuple[dict[str, int], int], errors_without: tuple[dict[str, int], int], what: str
) -> None:
    """The filter is what refuses: without it, the same call in the same sandbox ends in another way."""
    call, error, without = CALLS[what], errors[0][what], errors_without[0][what]
    assert error == call.error
    if not call.also:
        assert without != error, "the call would be refused anyway: this shows nothing of the filter"


@pytest.mark.sandbox
def test_programs_of_32_bits_make_no_call(
    errors: tuple[dict[str, int], int], errors_without: tuple[dict[str, int], int]
) -> None:
    assert (errors[1], errors_without[1]) == (errno.ENOSYS, 0)


def test_what_is_allowed_is_one_value() -> None:
    assert ALLOW == pyseccomp.ALLOW
