"""Write docs/reference/settings.md and a page for each class in settings/: `python -m scripts.reference`.

The code is the source: edit a setting's help there or a key's meaning here, run this from the checkout, and commit
both. tests/test_docs.py compares.
"""

from __future__ import annotations

import datetime
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from traitlets import Bool, Callable, Dict, Enum, Float, Int, List, TraitType, Unicode, Union
from traitlets.config import Configurable

ROOT = Path(__file__).resolve().parents[1]
INDEX = ROOT / "docs" / "reference" / "settings.md"
FOLDER = INDEX.with_suffix("")

sys.path.insert(0, str(ROOT))
import conftest  # noqa: E402, F401  # lets a bare checkout find its top-level rooms

# isort: split
from daas_hub.accounts.passwords import PasswordLogin  # noqa: E402
from daas_hub.accounts.sources import table as accounts  # noqa: E402
from daas_hub.accounts.sources.claims import ClaimsAccounts  # noqa: E402
from daas_hub.accounts.sources.ldap.settings import LdapAccounts  # noqa: E402
from daas_hub.accounts.sources.linked import LinkedAccounts  # noqa: E402
from daas_hub.accounts.sources.nss import NssAccounts  # noqa: E402
from daas_hub.accounts.sources.rest.settings import CalipsoplusAccounts, RestAccounts  # noqa: E402
from daas_hub.admission.settings import Queue, Quotas  # noqa: E402
from daas_hub.audit.settings import Audit  # noqa: E402
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator  # noqa: E402
from daas_hub.catalogue import reader as catalogue  # noqa: E402
from daas_hub.facility import Facility  # noqa: E402
from daas_hub.mail import Mail  # noqa: E402
from daas_hub.policy import EndDates, Lifetimes, MountRules, Places, ProposalAccounts, RoleRules  # noqa: E402
from daas_hub.proposals.http_source import ProposalService  # noqa: E402
from daas_hub.proposals.sources import static as proposals  # noqa: E402
from daas_hub.proposals.sources.calipsoplus import CalipsoplusProposals  # noqa: E402
from daas_hub.proposals.sources.groups import GroupProposals  # noqa: E402
from daas_hub.proposals.sources.icat import IcatProposals  # noqa: E402
from daas_hub.proposals.sources.icatplus import IcatPlusProposals  # noqa: E402
from daas_hub.proposals.sources.ispyb import IspybProposals  # noqa: E402
from daas_hub.proposals.sources.scicat import SciCatProposals  # noqa: E402
from daas_hub.proposals.sources.useroffice import UserOfficeProposals  # noqa: E402
from daas_hub.services.yaml_document import Document  # noqa: E402
from daas_hub.spawners.docker.spawner import ProposalDockerSpawner  # noqa: E402
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner  # noqa: E402
from daas_hub.spawners.places.spawner import PlacesSpawner  # noqa: E402
from daas_hub.spawners.sandbox.spawner import SandboxSpawner  # noqa: E402

GENERATED = "<!-- Written by scripts/reference.py from the code. Do not edit: run `python -m scripts.reference`. -->\n"

INTRODUCTION = f"""\
{GENERATED}
# Settings

Every setting of daas_hub, one page per class, and every key of its [YAML files](settings/yaml-files.md). They are
traitlets, written in `jupyterhub_config.py` next to JupyterHub's own; `daas_hub/configuration.py` shows which of
JupyterHub's settings `configure(c)` sets.

`daas-hub check-config` reports unknown and mistyped settings of these classes and of `JupyterHub`; see
[check a configuration](../how-to/check-a-configuration.md).
"""

FILES_INTRODUCTION = f"""\
{GENERATED}
# YAML files

[All settings](../settings.md)

All files follow the same rules: UTF-8, at most 4 MB. An unknown key, a duplicate key and a value of the wrong type
(`"1000"` where a number is expected) are errors, reported with file and line. Account and proposal files are read
again when they change; catalogue files are read when the hub starts.
"""

#: Sources of proposals that are queried over HTTP; their common settings are those of their base class.
SERVICES = (
    CalipsoplusProposals,
    IcatProposals,
    IcatPlusProposals,
    SciCatProposals,
    IspybProposals,
    UserOfficeProposals,
)
#: The index: each area of a configuration and its classes.
AREAS: dict[str, tuple[type[Configurable], ...]] = {
    "Facility": (Facility, Audit),
    "Logins": (UmbrellaAuthenticator, PasswordLogin, LinkedAccounts),
    "Accounts": (
        LdapAccounts,
        NssAccounts,
        ClaimsAccounts,
        RestAccounts,
        CalipsoplusAccounts,
        RoleRules,
        EndDates,
        Mail,
        ProposalAccounts,
    ),
    "Proposals": (GroupProposals, ProposalService, *SERVICES),
    "Sessions": (SandboxSpawner, ProposalDockerSpawner, ProposalKubeSpawner, Places, PlacesSpawner, Lifetimes),
    "Quotas and queue": (Quotas, Queue),
    "Mounts": (MountRules,),
}
CLASSES = tuple(cls for classes in AREAS.values() for cls in classes)

#: A YAML file's name here, the page that shows it, and its records from the outside in.
FILES: list[tuple[str, str, list[tuple[str, type[Document]]]]] = [
    (
        "Accounts: `Facility.accounts_file`",
        "[an accounts table](../../how-to/accounts-table.md)",
        [("The file", accounts._Table), ("One account", accounts._Person), ("One login", accounts._Login)],
    ),
    (
        "Proposals: `Facility.proposals_file`",
        "[a proposals file](../../how-to/proposals-file.md)",
        [("The file", proposals._Proposals), ("One proposal", proposals._Proposal), ("One visit", proposals._Visit)],
    ),
    (
        "Applications: one file each in a folder of `Facility.catalogue`",
        "[add an application](../../how-to/add-an-application.md)",
        [("The file", catalogue._Application)],
    ),
    (
        "Sizes: `sizes.yaml` in a folder of `Facility.catalogue`",
        "[add an application](../../how-to/add-an-application.md)",
        [("The file", catalogue._Sizes), ("One size", catalogue._Size)],
    ),
]

MEANINGS: dict[str, dict[str, str]] = {
    "_Table": {"accounts": "Everybody who may run sessions."},
    "_Person": {
        "name": "Unix name: lower-case letters, digits, `-` and `_`. The home inside a session is `/home/<name>`.",
        "uid": "uid of every session of this person; from `Facility.min_id` to `max_id`, never 0.",
        "gid": "Primary group, in the same range.",
        "groups": "Supplementary groups: name and gid. A proposal's `gid` must be one of them.",
        "display_name": "Shown on pages.",
        "roles": "`admin`: administrator of the hub; `own_resources`: see `RoleRules.own_resources_groups`.",
        "mail": "Mail address, see `Mail`.",
        "valid_until": 'End date of the account, see `EndDates`: "2026-12-31" is usable until the end of that day.',
        "logins": "Logins of this person, at least one.",
    },
    "_Login": {
        "issuer": "The OpenID provider's issuer, exactly as in `UmbrellaAuthenticator.oidc_issuer`.",
        "subject": "The claim `sub`. The page for a login without account shows it.",
    },
    "_Proposals": {
        "proposals": "The proposals.",
        "beamline_staff": "Beamline, and the accounts of its staff, who see every proposal of that beamline.",
    },
    "_Proposal": {
        "id": "Letters, digits, `.`, `_` and `-`, at most 64. Two ids must not differ by case only.",
        "title": "Shown on pages.",
        "abstract": "Shown on pages, and searched.",
        "beamlines": "Where it was measured. Determines which applications with `beamlines` are offered.",
        "members": "Names of accounts that see it.",
        "gid": "Group that shares `~/processed`; every member's account must be in it. Without it, a directory "
        "that is created belongs to the hub's own group.",
        "visits": "Its beamtimes. A proposal without visits is shown, but nothing can be launched on it.",
    },
    "_Visit": {
        "number": "1 to 2147483647; used in links and stored sessions.",
        "name": "Name at the facility, for users and as `{visit}` in a path. Default: its number.",
        "title": "Shown on pages.",
        "beamline": "Value of `{beamline}` in a path. Default: the proposal's first beamline.",
        "start": "A time, preferably with time zone: `2026-09-21T08:00:00Z`.",
        "end": "A time.",
        "data": "Absolute directories with the raw data. Default: those of `MountRules.data`.",
    },
    "_Application": {
        "name": "Short name in links and session names: small letters, digits, single `-`.",
        "title": "Shown on pages.",
        "kind": "`notebook`, `desktop` or `link`.",
        "description": "One sentence below the title.",
        "icon": "Name of an SVG file in the same directory. Default: the portal's icon for the name or the kind.",
        "command": "Program and arguments of a desktop application, as a list, without a shell.",
        "environment": "Environment variables. `JUPYTERHUB_...`, `DAAS_...` and `LD_...` are refused.",
        "maximised": "Whether a desktop application's windows are maximised.",
        "start_page": "First page of a notebook server: `/lab` or `/tree`.",
        "url": "Address of a link.",
        "sizes": "Names from `sizes.yaml`; the first is the default. Default: the first size of all.",
        "beamlines": "Offered for proposals of these beamlines only. Default: all.",
        "with_proposal": "Offered on visits. A link never is.",
        "without_proposal": "Offered under *Own resources*.",
        "order": "Position among the applications, lowest first; then by title.",
        "image": "Container image with tag or digest. Required for sessions in containers.",
        "egress": "The only external addresses its sessions may connect to, each as `host:port`. Default: none.",
    },
    "_Sizes": {"sizes": "Name and size. Without a `sizes.yaml` there is one size: 2 processors, 4 GiB, 12 hours."},
    "_Size": {
        "title": "Shown on the launch page.",
        "memory": "`4 GiB`, `512 MiB`, `1 TiB`. If a session exceeds it, one of its processes is killed.",
        "cpus": "Processor time a session may use; 0.5 is half a processor.",
        "processes": "Maximum number of processes and threads.",
        "hours": "Maximum duration of a session (wall-clock time); it then ends without a warning.",
        "gpus": "Number of GPUs. How sessions get them is a setting of the spawner: [GPUs](../../how-to/gpus.md).",
        "gpu_kind": "Their kind, as that setting names it (letters, digits, hyphens). Default: the one without a name.",
    },
}

TRAIT_WORDS = {
    Bool: "boolean",
    Callable: "function",
    Unicode: "string",
    Int: "integer",
    Float: "number",
    Enum: "one of several strings",
    List: "list",
    Dict: "dict",
    Union: "string, or list of strings",
}
TYPE_WORDS = {str: "string", int: "integer", float: "number", bool: "`true` or `false`", datetime.datetime: "time"}


def pages() -> dict[Path, str]:
    """Return the text of every page, by its path."""
    written = {FOLDER / f"{cls.__name__}.md": "\n".join(class_page(cls)) for cls in CLASSES}
    return {INDEX: "\n".join(index()), FOLDER / "yaml-files.md": "\n".join(files_page())} | written


def index() -> Iterator[str]:
    """Return the page that lists the classes by area, with the names of their settings."""
    yield INTRODUCTION
    for area, classes in AREAS.items():
        yield f"## {area}\n"
        for cls in classes:
            yield f"### [{cls.__name__}](settings/{cls.__name__}.md)\n\n{first_line_of(cls)}\n"
            names = [f"`{name}`" for name in sorted(settings_of(cls))]
            yield "\n".join(textwrap.wrap(", ".join(names), 118, break_on_hyphens=False)) + "\n"
    yield "## YAML files\n"
    for title, _, _ in FILES:
        yield f"- [{title}](settings/yaml-files.md#{anchor_of(title)})"
    yield ""


def anchor_of(heading: str) -> str:
    """Return the anchor that viewers give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def first_line_of(cls: type[Configurable]) -> str:
    """Return the summary of a class."""
    return (cls.__doc__ or "").strip().splitlines()[0]


def settings_of(cls: type[Configurable]) -> dict[str, TraitType[Any, Any]]:
    """Return the settings a class has on its page, in the order of the code: its own, then those of its bases here."""
    traits = cls.class_traits(config=True)
    found: dict[str, TraitType[Any, Any]] = {}
    for base in cls.__mro__:
        if not base.__module__.startswith("daas_hub.") or (cls in SERVICES and base is ProposalService):
            continue
        found |= {name: traits[name] for name in vars(base) if name in traits and name not in found}
    return found


def class_page(cls: type[Configurable]) -> Iterator[str]:
    """Return the page of a class."""
    yield f"{GENERATED}\n# {cls.__name__}\n\n[All settings](../settings.md)\n\n{first_line_of(cls)}\n"
    if cls in SERVICES:
        yield "It also has every setting of [ProposalService](ProposalService.md).\n"
    for name, trait in settings_of(cls).items():
        yield setting(cls.__name__, name, trait)


def files_page() -> Iterator[str]:
    """Return the page of the YAML files."""
    yield FILES_INTRODUCTION
    for title, how_to, records in FILES:
        yield f"## {title}\n\nExamples: {how_to}.\n"
        for name, model in records:
            yield f"{name}:\n\n{key_table(model)}\n"


def setting(class_name: str, name: str, trait: TraitType[Any, Any]) -> str:
    """Return one setting: its name, type, default and help."""
    words = next(words for cls, words in TRAIT_WORDS.items() if isinstance(trait, cls))
    help_text = re.sub(r"\s+", " ", str(trait.help)).strip()
    # where the help says the default, it may depend on the machine: the code's value says nothing then
    default = "" if "Default:" in help_text else f" Default: `{trait.default_value_repr()}`."
    body = "\n".join(textwrap.wrap(help_text, 118, break_long_words=False, break_on_hyphens=False))
    return f"## `c.{class_name}.{name}`\n\n*{words}.*{default}\n\n{body}\n"


def key_table(model: type[Document]) -> str:
    """Return the keys of a record as a table; a key without meaning here, or the other way round, is an error."""
    meanings = MEANINGS[model.__name__]
    if set(meanings) != set(model.model_fields):
        raise KeyError(f"{model.__name__}: {set(meanings) ^ set(model.model_fields)}")
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        lines.append(f"| `{name}` | {type_words(field.annotation)} | {default_of(field)} | {meanings[name]} |")
    return "\n".join(lines)


def type_words(annotation: Any) -> str:
    """Return the type of a key for a reader."""
    if annotation in TYPE_WORDS:
        return TYPE_WORDS[annotation]
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        known = [one for one in inner if one is not types.NoneType]
        return type_words(float if set(known) == {int, float} else known[0])
    if origin is list:
        return f"list of {'records' if issubclass_of_document(inner[0]) else type_words(inner[0]) + 's'}"
    if origin is dict:
        return f"names, each with {'a record' if issubclass_of_document(inner[1]) else article(type_words(inner[1]))}"
    raise TypeError(f"no words for {annotation}")


def article(words: str) -> str:
    """Return words with their article."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def issubclass_of_document(annotation: Any) -> bool:
    """Return whether a type is a record of its own."""
    return isinstance(annotation, type) and issubclass(annotation, Document)


def default_of(field: FieldInfo) -> str:
    """Return a key's default in YAML; "required" for none."""
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ("", [], {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    """Write the pages, and remove those of classes that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = pages()
    for stale in set(FOLDER.glob("*.md")) - set(written):
        stale.unlink()
    for path, text in written.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
