"""What benchmarks and scripts take from the rest of the project is there: nothing else runs them in a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path.relative_to(ROOT).as_posix() for top in ("benchmarks", "scripts") for path in (ROOT / top).glob("*.py")
)
#: installed by another folder's name
PLUGINS = ("authenticators", "demo", "spawners", "templates")


def taken_by(name: str, root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Return (module, name) of every `from module import name` whose module is ours."""
    folder = Path(name).parts[0]
    for node in ast.walk(ast.parse((root / name).read_text())):
        if isinstance(node, ast.ImportFrom):
            module = f"{folder}.{node.module}" if node.level and node.module else node.module or folder
            if module.split(".")[0] in ("benchmarks", "daas_hub", "scripts", "tests"):
                yield from ((module, alias.name) for alias in node.names)


def file_of(module: str) -> Path | None:
    """Return the file of a module of ours, or None."""
    parts = module.split(".")
    if parts[0] == "daas_hub" and parts[1:2] and parts[1] in PLUGINS and not (ROOT / "daas_hub" / parts[1]).exists():
        parts = parts[1:]
    path = ROOT.joinpath(*parts)
    found = [one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()]
    return found[0] if found else None


def names_in(path: Path) -> set[str]:
    """Return what a module defines or imports at its top, below `if` and `try` too."""
    found: set[str] = set()
    left: list[ast.AST] = list(ast.parse(path.read_text()).body)
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        else:
            left += ast.iter_child_nodes(node)
    return found


def missing(name: str, root: Path = ROOT) -> list[str]:
    """Return what a file imports of ours that is not there."""
    gone = []
    for module, wanted in taken_by(name, root):
        path = file_of(module)
        is_there = path is not None and wanted in names_in(path)
        if not is_there and file_of(f"{module}.{wanted}") is None:
            gone.append(f"{module}.{wanted}")
    return gone


@pytest.mark.parametrize("name", FILES)
def test_everything_that_is_imported_exists(name: str) -> None:
    assert missing(name) == []


def test_a_renamed_function_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/one.py").write_text(
        "from tests.waiting import wait_for, wait_until\nfrom daas_hub.spawners.base import ProposalSessionMixin\n"
        "def inside():\n    from .machine import table, tables\n"
    )
    assert missing("benchmarks/one.py", tmp_path) == ["tests.waiting.wait_until", "benchmarks.machine.tables"]
