"""Write docs/reference/settings.md from the code: `python -m scripts.reference`, from the checkout.

The code is the source: edit a setting's help there or a key's meaning here, run this, and commit both.
tests/test_docs.py compares.
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
PAGE = ROOT / "docs" / "reference" / "settings.md"

sys.path.insert(0, str(ROOT))
import conftest  # noqa: E402, F401  # lets a bare checkout find its top-level rooms

# isort: split
from daas_hub.accounts.factories import SETTINGS  # noqa: E402
from daas_hub.accounts.sources import table as accounts  # noqa: E402
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator  # noqa: E402
from daas_hub.catalogue import reader as catalogue  # noqa: E402
from daas_hub.facility import Facility  # noqa: E402
from daas_hub.policy import MountRules, ProposalAccounts, RoleRules  # noqa: E402
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
from daas_hub.spawners.sandbox.spawner import SandboxSpawner  # noqa: E402

INTRODUCTION = """\
<!-- Written by scripts/reference.py from the code. Do not edit: run `python -m scripts.reference`. -->

# Settings

Every setting of daas_hub, and every key of its YAML files. JupyterHub's own settings work beside them, in the same
`jupyterhub_config.py`; what `configure(c)` sets of those stands in `daas_hub/configuration.py`.

An unknown or mistyped setting of these classes, or of `JupyterHub`, is reported by `daas-hub check-config`; see
[check a configuration](../how-to/check-a-configuration.md).
"""

FILES_INTRODUCTION = """\
## YAML files

The same rules hold for all of them: UTF-8, at most 4 MB; an unknown key, a key that stands twice and a value of
another type (`"1000"` where a number is wanted) are errors, named with file and line. The files of accounts and
proposals are read again when they change; those of the catalogue when the hub starts.
"""

#: Sources of proposals that are asked over HTTP; what they all have stands with their base.
SERVICES = (
    CalipsoplusProposals,
    IcatProposals,
    IcatPlusProposals,
    SciCatProposals,
    IspybProposals,
    UserOfficeProposals,
)
CLASSES = (
    *(
        Facility,
        MountRules,
        *SETTINGS,
        RoleRules,
        ProposalAccounts,
        UmbrellaAuthenticator,
        SandboxSpawner,
        ProposalDockerSpawner,
    ),
    *(GroupProposals, ProposalService, *SERVICES),
)

#: A YAML file's name here, the page that shows it, and its records from the outside in.
FILES: list[tuple[str, str, list[tuple[str, type[Document]]]]] = [
    (
        "Accounts: `Facility.accounts_file`",
        "[an accounts table](../how-to/accounts-table.md)",
        [("The file", accounts._Table), ("One account", accounts._Person), ("One login", accounts._Login)],
    ),
    (
        "Proposals: `Facility.proposals_file`",
        "[a proposals file](../how-to/proposals-file.md)",
        [("The file", proposals._Proposals), ("One proposal", proposals._Proposal), ("One visit", proposals._Visit)],
    ),
    (
        "Applications: one file each in a folder of `Facility.catalogue`",
        "[add an application](../how-to/add-an-application.md)",
        [("The file", catalogue._Application)],
    ),
    (
        "Sizes: `sizes.yaml` in a folder of `Facility.catalogue`",
        "[add an application](../how-to/add-an-application.md)",
        [("The file", catalogue._Sizes), ("One size", catalogue._Size)],
    ),
]

MEANINGS: dict[str, dict[str, str]] = {
    "_Table": {"accounts": "Everybody who may run sessions."},
    "_Person": {
        "name": "Unix name: small letters, digits, `-` and `_`. The home inside a session is `/home/<name>`.",
        "uid": "User number of every session of this person; from `Facility.min_id` to `max_id`, never 0.",
        "gid": "Main group, in the same range.",
        "groups": "Further groups: name and number. A proposal's `gid` must be among them.",
        "display_name": "Shown on pages.",
        "roles": "`admin` makes an administrator of the hub, beside `RoleRules`. Other words have no effect yet.",
        "logins": "Who this is, at least one. Several logins of one person lead to one account.",
    },
    "_Login": {
        "issuer": "The OpenID provider's issuer, exactly as in `UmbrellaAuthenticator.oidc_issuer`.",
        "subject": "The claim `sub`. The page for a login without account shows it.",
    },
    "_Proposals": {
        "proposals": "The proposals.",
        "beamline_staff": "Beamline and the accounts of its staff, who see every proposal of that beamline.",
    },
    "_Proposal": {
        "id": "Letters, digits, `.`, `_` and `-`, at most 64. Capitals count as the same when looking for doubles.",
        "title": "Shown on pages.",
        "abstract": "Shown on pages, and searched.",
        "beamlines": "Where it was measured. Decides which applications with `beamlines` are offered.",
        "members": "Names of accounts that see it.",
        "gid": "Group that shares `~/processed`; every member's account must be in it. Give one: without it a "
        "directory that is made belongs to the hub's own group.",
        "visits": "Its beamtimes. A proposal without visits is shown, and nothing can be launched on it.",
    },
    "_Visit": {
        "number": "1 to 2147483647; links and stored sessions have it.",
        "name": "What the facility calls it, for people and as `{visit}` in a path. Default: its number.",
        "title": "Shown on pages.",
        "beamline": "Fills `{beamline}` in a path. Default: the proposal's first beamline.",
        "start": "A time, best with its zone: `2026-09-21T08:00:00Z`.",
        "end": "A time.",
        "data": "Absolute directories with the raw data. Default: those that `MountRules.data` gives.",
    },
    "_Application": {
        "name": "Short name in links and session names: small letters, digits, single `-`.",
        "title": "Shown on pages.",
        "kind": "`notebook`, `desktop` or `link`.",
        "description": "One sentence below the title.",
        "icon": "Name of an SVG file beside this one. Default: the portal's drawing for the name or the kind.",
        "command": "Program and arguments of a desktop application, as a list. No shell reads it.",
        "environment": "Environment variables. `JUPYTERHUB_...`, `DAAS_...` and `LD_...` are refused.",
        "maximised": "Whether a desktop application's windows fill the screen.",
        "start_page": "Where a notebook opens: `/lab` or `/tree`.",
        "url": "Where a link leads.",
        "sizes": "Names from `sizes.yaml`; the first is the default. Default: the first size of all.",
        "beamlines": "Offered for proposals of these beamlines only. Default: all.",
        "with_proposal": "Offered on visits. A link never is.",
        "without_proposal": "Offered under *Own resources*.",
        "order": "Place among the applications, small first; then by title.",
        "image": "The container image it is in, with its tag or digest. Needed where sessions are containers.",
        "egress": "The only addresses outside its sessions may connect to, `host:port` each. Default: none.",
    },
    "_Sizes": {"sizes": "Name and size. Without any `sizes.yaml` there is one: 2 processors, 4 GiB, 12 hours."},
    "_Size": {
        "title": "Shown on the launch page.",
        "memory": "`4 GiB`, `512 MiB`, `1 TiB`. A session that takes more has a process ended.",
        "cpus": "Processors' time a session may use; 0.5 is half a processor.",
        "processes": "Most processes and threads at a time.",
        "hours": "Longest life of a session: it is ended then, by the clock on the wall, without a warning yet.",
    },
}

TRAIT_WORDS = {
    Bool: "True or False",
    Callable: "a function",
    Unicode: "text",
    Int: "whole number",
    Float: "number",
    Enum: "one of a few words",
    List: "list of texts",
    Dict: "names and values",
    Union: "text, or list of texts",
}
TYPE_WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", datetime.datetime: "time"}


def page() -> str:
    """Return the page's text."""
    parts = [INTRODUCTION]
    for cls in CLASSES:
        parts += class_section(cls)
    parts.append(FILES_INTRODUCTION)
    for title, how_to, records in FILES:
        parts.append(f"### {title}\n\nExamples: {how_to}.\n")
        for name, model in records:
            parts.append(f"{name}:\n\n{key_table(model)}\n")
    return "\n".join(parts)


def class_section(cls: type[Configurable]) -> Iterator[str]:
    """Return the section of a class: its own settings and those of its bases here, not those of other packages."""
    words = (cls.__doc__ or "").strip().splitlines()[0]
    yield f"## {cls.__name__}\n\n{words}\n"
    if cls in SERVICES:
        yield "It also has every setting of [ProposalService](#proposalservice).\n"
    for name, trait in sorted(cls.class_traits(config=True).items()):
        if cls in SERVICES and trait.this_class is ProposalService:
            continue
        if trait.this_class is not None and trait.this_class.__module__.startswith("daas_hub."):
            yield setting(cls.__name__, name, trait)


def setting(class_name: str, name: str, trait: TraitType[Any, Any]) -> str:
    """Return one setting: its name, type, default and help."""
    words = next(words for cls, words in TRAIT_WORDS.items() if isinstance(trait, cls))
    help_text = re.sub(r"\s+", " ", str(trait.help)).strip()
    # where the help tells the default, it may depend on the machine: the code's value says nothing then
    default = "" if "Default:" in help_text else f" Default: `{trait.default_value_repr()}`."
    body = "\n".join(textwrap.wrap(help_text, 118, break_long_words=False, break_on_hyphens=False))
    return f"### `c.{class_name}.{name}`\n\n*{words}.*{default}\n\n{body}\n"


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
    """Return the type of a key in words."""
    if annotation in TYPE_WORDS:
        return TYPE_WORDS[annotation]
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        known = [one for one in inner if one is not types.NoneType]
        return type_words(float if set(known) == {int, float} else known[0])
    if origin is list:
        return f"list of {'records' if issubclass_of_document(inner[0]) else type_words(inner[0]) + 's'}"
    if origin is dict:
        return f"names, each with a {'record' if issubclass_of_document(inner[1]) else type_words(inner[1])}"
    raise TypeError(f"no words for {annotation}")


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
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
