"""docs/how-to/install-on-kubernetes.md as an administrator follows it: its files and its commands, in their order.

What the page says to replace is replaced: names, digests, the storage, and where a test machine is small, sizes.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import ROOT, Cluster

PAGE = ROOT / "docs" / "how-to" / "install-on-kubernetes.md"
_BLOCK = re.compile(r"^```(?P<language>sh|yaml)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_FILE = re.compile(r"# /etc/daas-hub/(\S+)\n")


def sections() -> dict[str, list[tuple[str, str]]]:
    """Return the code blocks of each section of the page, as language and text."""
    parts = _SECTION.split(PAGE.read_text())
    return {
        title: [(one["language"], one["text"]) for one in _BLOCK.finditer(text)]
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


@dataclass
class Administrator:
    """Somebody who follows the page.

    Attributes:
        folder: where the files of the page are written, and commands run.
        replaced: what is replaced in commands and files, by what.
        changed: what is changed in a file of the page, by its name: functions of its documents.
    """

    cluster: Cluster
    folder: Path
    replaced: Mapping[str, str]
    changed: Mapping[str, Any]

    def follow(self, section: str, *, ends: int = 0) -> str:
        """Write the files of a section and run its commands, which end with this code; return what they print."""
        (blocks,) = [found for title, found in sections().items() if title.startswith(section)]
        return "".join(self._write(text) if language == "yaml" else self._run(text, ends) for language, text in blocks)

    def _write(self, text: str) -> str:
        name = _FILE.match(text)
        assert name is not None, f"a file of the page has no name: {text[:80]}"
        documents = list(yaml.safe_load_all(self._ours(text)))
        if change := self.changed.get(name[1]):
            for one in documents:
                change(one)
        (self.folder / name[1]).write_text(yaml.safe_dump_all(documents))
        return ""

    def _run(self, commands: str, ends: int) -> str:
        """Run commands of the page as its reader does; fails with what they print."""
        text = re.sub(r"(--values |-f )/etc/daas-hub/", rf"\1{shlex.quote(str(self.folder))}/", self._ours(commands))
        env = os.environ | {
            "PATH": f"{self.cluster.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(self.cluster.kubeconfig),
        }
        argv = ["bash", "-ec", text]
        ran = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=400)
        assert ran.returncode == ends, f"{text}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout + ran.stderr

    def _ours(self, text: str) -> str:
        for old, new in self.replaced.items():
            text = re.sub(old, lambda _, new=new: new, text)
        return text
