"""Each kind of error has its remedy, and nothing but the kind chooses it: a sentence can be written anew."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from daas_hub.accounts import Account
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.commands.doctor.people import ask
from daas_hub.commands.doctor.remedies import EXPLAINED_BY_ERROR, REMEDIES, remedy_for
from daas_hub.errors import DaasError, ErrorKind, SourceUnavailable
from tests.stand_ins.faults import FAULTS

ROOT = Path(__file__).parents[3]
PRODUCT = [
    path
    for folder in ("daas_hub", "authenticators", "spawners")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "build" not in path.parts
]
#: Rooms that choose what an administrator should do.
DOCTORS = [
    path for path in PRODUCT if path.is_relative_to(ROOT / "daas_hub/commands/doctor") or path.parent.name == "doctor"
]
#: What an error, or a record of one, says in words.
SENTENCES = {"message", "said", "detail", "wrong", "words", "got", "__notes__", "args"}


def kinds_in(path: Path) -> set[ErrorKind]:
    """Return the kinds that a module names."""
    return {
        ErrorKind[node.attr]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ErrorKind"
    }


@pytest.mark.parametrize("kind", ErrorKind)
def test_each_kind_has_a_remedy_or_needs_none(kind: ErrorKind) -> None:
    assert (kind in REMEDIES) != (kind in EXPLAINED_BY_ERROR)
    assert REMEDIES.get(kind, "x").strip()


def test_each_kind_is_raised_somewhere() -> None:
    defaults = {ErrorKind[node.value.attr] for node in ast.walk(ast.parse((ROOT / "daas_hub/errors.py").read_text()))
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)}  # fmt: skip
    elsewhere = [path for path in PRODUCT if path not in DOCTORS and path.name != "errors.py"]
    raised = defaults.union(*map(kinds_in, [*elsewhere, ROOT / "authenticators/errors.py"]))
    assert set(ErrorKind) - raised == set()


@pytest.mark.parametrize("path", DOCTORS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_remedy_is_chosen_by_a_sentence(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "re" not in imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            compared = {part.attr for side in (node.left, *node.comparators) for part in ast.walk(side)
                        if isinstance(part, ast.Attribute)}  # fmt: skip
            assert not compared & SENTENCES, ast.unparse(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            searched = {part.attr for part in ast.walk(node.func.value) if isinstance(part, ast.Attribute)}
            assert not (searched & SENTENCES and node.func.attr in ("startswith", "endswith", "find", "count")), (
                ast.unparse(node)
            )


@pytest.mark.parametrize("kind", REMEDIES)
async def test_an_error_in_other_words_keeps_its_remedy(kind: ErrorKind) -> None:
    async def question() -> Account:
        raise SourceUnavailable("Lorem ipsum.", detail="dolor sit amet", kind=kind)

    asked = await ask(question())
    assert remedy_for(asked.kind) == REMEDIES[kind]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_a_remedy_of_its_own_kind(fault: str) -> None:
    assert remedy_for(ErrorKind(FAULTS[fault][2])) != remedy_for(None)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (ErrorKind.CREDENTIALS_REFUSED, "password_file"),
        (ErrorKind.REDIRECT_SAME_HOST, "trailing slash"),
        (ErrorKind.REDIRECT, "sign-in page"),
        (ErrorKind.TLS_CERTIFICATE, "ca_file"),
        (ErrorKind.BIND_REFUSED, "bind_dn"),
        (ErrorKind.DOCUMENT, "at that line"),
        (ErrorKind.TOO_MANY_RECORDS, "max_records"),
        (ErrorKind.NOT_FOUND, "Correct the url"),
        (ErrorKind.TIMEOUT, "timeout_s"),
        (ErrorKind.NO_STARTTLS, "ldaps://"),
        (ErrorKind.FILE_PERMISSIONS, "chmod 600"),
        (ErrorKind.LINK_STORE_DAMAGED, "restore a backup"),
        (ErrorKind.LINK_STORE_DAMAGED, "newer release"),
    ],
)
def test_a_kind_and_what_to_do(kind: ErrorKind, remedy: str) -> None:
    assert remedy in remedy_for(kind)


def test_what_the_error_says_itself_is_used_where_there_is_nothing_better() -> None:
    assert remedy_for(ErrorKind.REFUSED, "Ask Anna.") == "Ask Anna."
    assert remedy_for(ErrorKind.TIMEOUT, "Ask Anna.") == REMEDIES[ErrorKind.TIMEOUT]


@pytest.mark.parametrize(
    ("content", "mode", "kind"),
    [
        (b"this is no database" * 100, 0o600, ErrorKind.LINK_STORE_DAMAGED),
        (b"", 0o644, ErrorKind.FILE_PERMISSIONS),
    ],
)
async def test_a_file_of_links_that_cannot_be_used(tmp_path: Path, content: bytes, mode: int, kind: ErrorKind) -> None:
    path = tmp_path / "private" / "links.sqlite"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(DaasError) as raised:
        await LinkStore(path, max_per_account=1).link_of("https://login", "anna")
    assert raised.value.kind is kind
