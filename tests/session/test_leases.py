"""The filter that forbids leases: every instruction by interpretation, and once by the kernel."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from daas_hub.session.leases import LEASE_COMMANDS, lease_filter
from tests.spawners.sandbox.bpf import AUDIT_ARCH_I386, error_of, verdict

X86_64, ARM64, ARM = 0xC000003E, 0xC00000B7, 0x40000028
FCNTL = {
    "x86-64": (X86_64, 72),
    "x32": (X86_64, 72 | 0x40000000),
    "i386": (AUDIT_ARCH_I386, 55),
    "i386 fcntl64": (AUDIT_ARCH_I386, 221),
    "arm64": (ARM64, 25),
    "arm": (ARM, 55),
    "arm fcntl64": (ARM, 221),
}


@pytest.mark.parametrize(("arch", "number"), FCNTL.values(), ids=FCNTL.keys())
def test_only_leases_are_refused(arch: int, number: int) -> None:
    """The kernel reads 32 bits of a command, so further bits change nothing."""
    program = lease_filter()
    refused = {one for one in range(2048) if error_of(verdict(program, number, (3, one), arch=arch))}
    assert refused == set(LEASE_COMMANDS)
    assert error_of(verdict(program, number, (3, 2**32 + LEASE_COMMANDS[0]), arch=arch)) == errno.EACCES


@pytest.mark.parametrize("arch", {arch for arch, _ in FCNTL.values()})
def test_other_calls_are_not_its_business(arch: int) -> None:
    program = lease_filter()
    numbers = {number for one, number in FCNTL.values() if one == arch}
    refused = [one for one in range(1024) if error_of(verdict(program, one, (3, 1024), arch=arch))]
    assert set(refused) == {one for one in numbers if one < 1024}


def test_a_processor_nobody_thought_of_is_left_alone() -> None:
    assert {error_of(verdict(lease_filter(), number, (3, 1024), arch=0x80000016)) for number in range(300)} == {0}


def test_the_kernel_takes_it_and_children_keep_it(tmp_path: Path) -> None:
    """A file's owner may lease it, before the filter and not after; a lock still works."""
    file = tmp_path / "file"
    file.write_text("x")
    lease = f"import fcntl; f = open({str(file)!r}); fcntl.flock(f, fcntl.LOCK_SH); fcntl.fcntl(f, 1024, fcntl.F_RDLCK)"
    argv = [sys.executable, "-c"]
    assert subprocess.run([*argv, lease], check=False).returncode == 0
    forbid = "from daas_hub.session.leases import forbid_leases; forbid_leases()"
    run = f"{forbid}\nimport subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {lease!r}]).returncode)"
    said = subprocess.run([*argv, run], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert "PermissionError: [Errno 13]" in said.stderr
