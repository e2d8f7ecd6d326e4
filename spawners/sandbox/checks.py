"""Whether sandboxes can be built on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

from daas_hub.errors import ConfigurationError


def sandbox_problem(bwrap: str = "bwrap") -> ConfigurationError | None:
    """Build an empty sandbox as an account would, and tell why that is not possible; None if it is."""

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
    words = tried.stderr.decode(errors="replace").strip()[:200]
    if os.path.exists("/proc/1/root") and not os.path.samestat(os.stat("/proc/1/root/."), os.stat("/")):
        return problem(
            f"cannot build a sandbox here: {words}",
            "This is a chroot, where the kernel allows nobody a sandbox. Use a machine, a virtual machine, or a "
            "container with its own root and an unmasked /proc.",
        )
    return problem(
        f"cannot build a sandbox here: {words}",
        "Allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 "
        "(on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0).",
    )
