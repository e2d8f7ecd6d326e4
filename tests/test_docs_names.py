"""Names and figures in pages: commands, options, make targets, endpoints, decision records, benchmarks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from daas_hub.commands.main import cli
from tests.doc_pages import PAGES, ROOT, name_of

#: Pages that repeat figures of the benchmarks, and whether every sentence of theirs does, or only the tables.
REPEATS_FIGURES = {"docs/how-to/sizing.md": True, "docs/explanations/scaling.md": False}
#: Packages of others that pages run with `python -m`.
MODULES_OF_OTHERS = {"venv", "ipykernel"}

_COMMAND = re.compile(r"(?:^|[`$ (]|bin/)daas-hub (?!daas-hub|for\b)([a-z][\w-]+)((?: [^`\n#|]*)?)", re.MULTILINE)


def commands() -> dict[str, set[str]]:
    """Return the commands, each with its options and those of its subcommands."""
    context = click.Context(cli)
    return {name: options_of(cli.get_command(context, name)) for name in cli.list_commands(context)}


def options_of(command: click.Command | None) -> set[str]:
    assert command is not None
    found = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    if isinstance(command, click.Group):
        for name in command.commands:
            found |= options_of(command.get_command(click.Context(command), name))
    return found


def wrong_commands(text: str) -> Iterator[str]:
    """Return the commands, and the options of commands, that a text names and that do not exist."""
    known = commands()
    for name, rest in _COMMAND.findall(text.replace("\\\n", " ")):
        if name not in known:
            yield f"daas-hub {name}"
            continue
        yield from (
            f"daas-hub {name} {one}" for one in re.findall(r"(?<!\S)--[a-z][\w-]*", rest) if one not in known[name]
        )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_a_page_names_exists(page: Path) -> None:
    assert list(wrong_commands(page.read_text())) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_target_and_module_a_page_runs_exists(page: Path) -> None:
    text = page.read_text()
    rules = (ROOT / "Makefile").read_text() + (ROOT / "images" / "images.mk").read_text()
    assert set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", text, re.MULTILINE)) - set(targets_of(rules)) == set()
    modules = set(re.findall(r"python -m ([\w.]+)", text)) - MODULES_OF_OTHERS
    places = {one: one.replace("daas_hub.spawners", "spawners").replace(".", "/") for one in modules}
    assert [
        one for one, at in places.items() if not any((ROOT / f"{at}{end}").exists() for end in (".py", "/__main__.py"))
    ] == []


def targets_of(rules: str) -> list[str]:
    return re.findall(r"^([a-z][\w-]*):", rules, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_to_a_decision_names_its_number(page: Path) -> None:
    links = re.findall(r"\[[Dd]ecision (\d+)\]\(\S*?(\d{4})-[\w-]+\.md", page.read_text().replace("\n", " "))
    assert [f"decision {said} is {linked}" for said, linked in links if int(said) != int(linked)] == []


def test_every_endpoint_of_ours_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text()
    found = {route for room in ("daas_hub/portal", "authenticators") for route in routes_of(ROOT / room)}
    assert len(found) > 30
    missing = [route for route in sorted(found) if f"`{route.removeprefix('/api/daas/')}" not in page]
    assert missing == []


def routes_of(room: Path) -> Iterator[str]:
    """Return the addresses that a package serves, up to their first variable part, without JupyterHub's own API."""
    for file in room.rglob("*.py"):
        for route in re.findall(r'\(rf?"(/[a-z_][^"]*)", \w+', file.read_text()):
            literal = re.split(r"[(\[{\\]", route)[0].rstrip("/")
            if not re.match(r"/(?:api/(?!daas)|error)", literal):
                yield literal


@pytest.mark.parametrize("name", REPEATS_FIGURES)
def test_figures_of_a_table_are_those_of_the_benchmarks(name: str) -> None:
    measured = set(re.findall(r"\d+\.\d+", (ROOT / "docs" / "reference" / "benchmarks.md").read_text()))
    page = (ROOT / name).read_text()
    tables = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    found = re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", page if REPEATS_FIGURES[name] else tables)
    assert found
    assert [one for one in found if one not in measured] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        pytest.param("Run `daas-hub doctor FILE --as anna`.", [], id="right"),
        pytest.param("`daas-hub medic`", ["daas-hub medic"], id="a command"),
        pytest.param("daas-hub backup --fast x", ["daas-hub backup --fast"], id="an option"),
        pytest.param("daas-hub maintenance begin --from +1h", [], id="a subcommand's"),
        pytest.param("systemctl restart daas-hub daas-hub-proxy", [], id="a unit"),
    ],
)
def test_what_is_found(text: str, wrong: list[str]) -> None:
    assert list(wrong_commands(text)) == wrong
