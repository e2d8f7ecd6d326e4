"""Checks that sandboxes can be built on this machine, and that sessions can run their programs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from daas_hub.catalogue import Size
from daas_hub.errors import ConfigurationError, SessionFailed

#: Links of the root directory, which a sandbox has, too (see `argv`).
USR_LINKS = ("/bin", "/lib", "/lib64")


def sandbox_problem(bwrap: str = "bwrap") -> ConfigurationError | None:
    """Build an empty sandbox as another user; return why that failed, or None."""

    def problem(message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError("SandboxSpawner.bwrap", bwrap, message, remedy=remedy)

    path = shutil.which(bwrap)
    if path is None:
        return problem("is not installed", "apt-get install bubblewrap (0.8 or newer).")
    who: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    argv = [path, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    tried = subprocess.run(argv, capture_output=True, check=False, cwd="/", **who)
    if tried.returncode == 0:
        return None
    output = tried.stderr.decode(errors="replace").strip()[:200]
    if os.path.exists("/proc/1/root") and not os.path.samestat(os.stat("/proc/1/root/."), os.stat("/")):
        return problem(
            f"cannot build a sandbox here: {output}",
            "This is a chroot, in which the kernel allows no user namespaces. Use a physical or virtual machine, or a "
            "container with its own root and an unmasked /proc.",
        )
    return problem(
        f"cannot build a sandbox here: {output}",
        "Allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 "
        "(on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0).",
    )


def sizes_with_gpus(sizes: Mapping[str, Size]) -> list[ConfigurationError]:
    """Return an error for each size with GPUs: a sandbox has no devices of the machine."""
    return [
        ConfigurationError(
            "sizes.yaml",
            size.name,
            "has GPUs, and sessions in a sandbox have none",
            remedy="Remove `gpus` from the size, or run these sessions in containers (ProposalDockerSpawner.gpus).",
        )
        for size in sizes.values()
        if size.gpus
    ]


def require_no_gpus(size: Size) -> None:
    """Refuse a session that would not have what its size promises.

    Raises:
        SessionFailed: the size has GPUs.
    """
    if size.gpus:
        raise SessionFailed(
            f"The size {size.title!r} has a GPU, and sessions on this machine cannot have one.",
            remedy="Choose another size, and please tell the administrators.",
        )


def prefix_problem(prefix: str, read_only: Sequence[str] = (), *, others: bool) -> ConfigurationError | None:
    """Return why sessions cannot run the programs of this Python environment; None if they can.

    A virtual environment names its interpreter by a link, often one into its creator's home. A session sees
    /usr, the environment and `read_only`, and nothing else.

    Args:
        others: whether sessions run as other users than this process, for whom each directory must be open.
    """

    def problem(message: str) -> ConfigurationError:
        return ConfigurationError(
            "SandboxSpawner.prefix",
            prefix,
            message,
            remedy="Install daas-hub where every account can read it (/opt/daas-hub), with a Python that every account "
            "can run (/usr/bin/python3).",
        )

    program = Path(prefix, "bin", "python3")
    if not program.is_file():
        return problem(f"is not a Python environment: there is no {program}")
    seen_inside = [Path(one) for one in ("/usr", *USR_LINKS, prefix, *read_only)]
    for path in _links(program):
        if not any(path.is_relative_to(folder) for folder in seen_inside):
            return problem(f"its interpreter leads to {path}, outside of what sessions see: /usr, prefix and read_only")
    if others:
        for path, wanted in _needed(Path(prefix), program):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & wanted != wanted:
                return problem(f"the accounts that sessions run as cannot enter {path} (mode {mode:04o})")
    return None


def _links(path: Path) -> Iterator[Path]:
    """Yield a path and whatever it is a link to, one link after the other."""
    while True:
        yield path
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))


def _needed(prefix: Path, program: Path) -> Iterator[tuple[Path, int]]:
    """Yield what everybody must be able to enter or read to run the program, with the bits, the outermost first."""
    targets = {path for one in (prefix / "bin", prefix / "lib", *_links(program)) for path in (one, one.resolve())}
    folders = {parent for path in targets for parent in path.parents}
    # what a link leads to is among them
    for path in sorted(path for path in targets | folders if not path.is_symlink()):
        yield path, stat.S_IXOTH | (stat.S_IROTH if path in targets else 0)
