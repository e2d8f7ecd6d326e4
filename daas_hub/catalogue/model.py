"""Application, size, and the catalogue that holds them."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from pathlib import Path

#: registry/path:tag, path@sha256:..., as container engines accept it; always with a tag or a digest.
IMAGE_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?/)?"  # registry
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"  # path
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[0-9a-f]{64})"
)


class Kind(enum.StrEnum):
    """How an application appears: a Jupyter server, a desktop in the browser, or a link to another service."""

    NOTEBOOK = "notebook"
    DESKTOP = "desktop"
    LINK = "link"


@dataclass(frozen=True)
class Size:
    """What one session may use. `hours` is the time limit; memory in bytes, cpus in processors.

    Attributes:
        gpus: how many GPUs it has, and `gpu_kind` of which kind; the backend's settings say what that is.
    """

    name: str
    title: str
    memory_bytes: int
    cpus: float
    processes: int
    hours: float
    gpus: int = 0
    gpu_kind: str = ""


@dataclass(frozen=True)
class Application:
    """One entry of the catalogue.

    Attributes:
        command: argv of a desktop application; empty for a notebook or a link.
        maximised: whether a desktop application's window fills the screen.
        start_page: where a notebook session opens ("/lab", "/tree").
        url: target of a link.
        sizes: names of the sizes it may have; the first one is the default.
        beamlines: offered only for proposals of these beamlines; empty means all.
        with_proposal, without_proposal: whether it may be started with a proposal's data, or as an own resource.
        icon: a file, or None for a built-in icon.
        image: the container image it is in, with its tag or digest; "" where sessions need none.
        egress: the only external addresses to which its sessions may connect, each "host:port" (a licence server).
    """

    name: str
    title: str
    kind: Kind
    description: str = ""
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict, hash=False)
    maximised: bool = True
    start_page: str = "/lab"
    url: str = ""
    sizes: tuple[str, ...] = ()
    beamlines: tuple[str, ...] = ()
    with_proposal: bool = True
    without_proposal: bool = True
    icon: Path | None = None
    order: int = 100
    image: str = ""
    egress: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Everything that can be launched here, in the order the pages show it."""

    applications: dict[str, Application]
    sizes: dict[str, Size]

    def sizes_of(self, application: Application) -> tuple[Size, ...]:
        """Return the sizes this application may have; the first is its default."""
        names = application.sizes or tuple(self.sizes)[:1]
        return tuple(self.sizes[name] for name in names)
