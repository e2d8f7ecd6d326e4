"""Reads a folder of application files: one YAML file per application, and `sizes.yaml`.

An invalid file is left out, and reported with line and reason; the others work.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from daas_hub.catalogue.model import IMAGE_REFERENCE, Application, Catalogue, Kind, Size
from daas_hub.errors import DocumentError
from daas_hub.services.yaml_document import Document, read_document

SIZES_FILE = "sizes.yaml"

#: Used when a catalogue has no sizes.yaml.
DEFAULT_SIZES = {"standard": Size("standard", "2 processors, 4 GiB", 4 * 2**30, 2.0, 1000, 12.0)}

#: A host name with its port. At least one letter: sessions resolve names to the egress relay, but not IP addresses.
_ADDRESS = re.compile(r"(?=[^:]*[a-z])((?=.{1,253}:)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):([0-9]{1,5})")
_UNITS = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
#: A launch names a size, so the name must be one that `launch/request.py` accepts.
_SizeName = Annotated[str, Field(pattern=_NAME, max_length=32)]


class _Size(Document):
    title: str = Field(min_length=1, max_length=80)
    memory: str
    cpus: int | float = Field(gt=0, le=1024)
    processes: int = Field(default=1000, ge=16, le=100_000)
    hours: int | float = Field(default=12, gt=0, le=24 * 60)
    gpus: int = Field(default=0, ge=0, le=64)
    gpu_kind: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9-]{0,31})?$")

    @field_validator("memory")
    @classmethod
    def _memory_with_unit(cls, value: str) -> str:
        memory_bytes(value)
        return value

    @model_validator(mode="after")
    def _kind_of_what_it_has(self) -> _Size:
        if self.gpu_kind and not self.gpus:
            raise ValueError("gpu_kind names a kind of GPU, and the size has none: add gpus: 1")
        return self


class _Sizes(Document):
    sizes: dict[_SizeName, _Size] = Field(min_length=1)


class _Application(Document):
    name: str = Field(pattern=_NAME, max_length=16)
    title: str = Field(min_length=1, max_length=60)
    kind: str
    description: str = Field(default="", max_length=300)
    icon: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]*\.svg$")
    command: list[str] = []
    environment: dict[str, str] = {}
    maximised: bool = True
    start_page: str = Field(default="/lab", pattern=r"^/([A-Za-z0-9_.-]+/?)*$")
    url: str = ""
    sizes: list[str] = []
    beamlines: list[str] = []
    with_proposal: bool = True
    without_proposal: bool = True
    order: int = 100
    image: str = Field(default="", max_length=255)
    egress: list[str] = Field(default=[], max_length=16)

    @field_validator("image")
    @classmethod
    def _exactly_one_image(cls, value: str) -> str:
        if value and not IMAGE_REFERENCE.fullmatch(value):
            raise ValueError(
                f"{value!r} does not name one image: add its tag or digest, as in 'localhost/daas-hub/pymca:0.1.0' "
                "(without one, it could be a different image after every update)"
            )
        return value

    @field_validator("egress")
    @classmethod
    def _single_addresses(cls, value: list[str]) -> list[str]:
        for address in value:
            match = _ADDRESS.fullmatch(address)
            if not match or not 0 < int(match[2]) < 65536 or match[1] in ("localhost", "session"):
                raise ValueError(
                    f"{address!r} is not one address such as 'licence.facility.org:27000' (a host name in "
                    "lower-case letters: sessions reach it by its name, so an IP address does not work)"
                )
        return value

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        if value not in list(Kind):
            raise ValueError(f"{value!r} is not one of {', '.join(Kind)}")
        return value

    @field_validator("environment")
    @classmethod
    def _plain_environment(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", key) or key.startswith(("JUPYTERHUB_", "DAAS_", "LD_")):
                raise ValueError(f"{key!r} may not be set by an application")
        return value

    @model_validator(mode="after")
    def _kind_has_what_it_needs(self) -> _Application:
        if self.kind == Kind.DESKTOP and not self.command:
            raise ValueError("a desktop application needs a command (a list: program and arguments)")
        if self.kind == Kind.LINK and not _is_web_address(self.url):
            raise ValueError("a link needs a url that starts with https:// or http:// and names a host")
        if self.kind != Kind.DESKTOP and self.command:
            raise ValueError(f"a {self.kind} has no command")
        return self


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def memory_bytes(text: str) -> int:
    """Read "512 MiB" or "4 GiB" as bytes.

    Raises:
        ValueError: the number or its unit (MiB, GiB, TiB) is missing or invalid.
    """
    match = re.fullmatch(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) ?(MiB|GiB|TiB)", text)
    if not match or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not an amount of memory such as '4 GiB' or '512 MiB'")
    return int(float(match[1]) * _UNITS[match[2]])


def read_catalogue(*folders: Path) -> tuple[Catalogue, list[DocumentError]]:
    """Return the catalogue of the folders, later ones adding to earlier ones, and the problem of each file left out."""
    problems: list[DocumentError] = []
    sizes: dict[str, Size] = {}
    found: dict[str, Application] = {}
    for folder in folders:
        if not folder.is_dir():
            problems.append(DocumentError(str(folder), 0, "there is no such folder"))
            continue
        try:
            sizes |= _read_sizes(folder)
        except DocumentError as error:
            problems.append(error)
    sizes = sizes or dict(DEFAULT_SIZES)
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.yaml"))]
    for file in files:
        if file.name == SIZES_FILE:
            continue
        try:
            application = _read_application(file, sizes)
            if application.name in found:
                raise DocumentError(str(file), 1, f"there is already an application named {application.name!r}")
            found[application.name] = application
        except DocumentError as error:
            problems.append(error)
    ordered = sorted(found.values(), key=lambda application: (application.order, application.title))
    return Catalogue({application.name: application for application in ordered}, sizes), problems


def _read_sizes(folder: Path) -> dict[str, Size]:
    if not (folder / SIZES_FILE).exists():
        return {}
    document = read_document(folder / SIZES_FILE, _Sizes)
    return {
        name: Size(
            name,
            size.title,
            memory_bytes(size.memory),
            float(size.cpus),
            size.processes,
            float(size.hours),
            size.gpus,
            size.gpu_kind,
        )
        for name, size in document.sizes.items()
    }


def _read_application(file: Path, sizes: dict[str, Size]) -> Application:
    document = read_document(file, _Application)
    for name in document.sizes:
        if name not in sizes:
            raise DocumentError(str(file), 1, f"sizes: {name!r} is not one of {', '.join(sizes)}")
    icon = file.parent / document.icon if document.icon else None
    if icon is not None and not icon.is_file():
        raise DocumentError(str(file), 1, f"icon: there is no file {document.icon!r} next to it")
    return Application(
        name=document.name,
        title=document.title,
        kind=Kind(document.kind),
        description=document.description,
        command=tuple(document.command),
        environment=dict(document.environment),
        maximised=document.maximised,
        start_page=document.start_page,
        url=document.url,
        sizes=tuple(document.sizes),
        beamlines=tuple(document.beamlines),
        with_proposal=document.with_proposal and document.kind != Kind.LINK,
        without_proposal=document.without_proposal,
        icon=icon,
        order=document.order,
        image=document.image,
        egress=tuple(document.egress),
    )
