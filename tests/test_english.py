"""The field's words, in plain English: the mannerisms this project once had do not come back.

Checked are documentation, pages, and what the code says to people: docstrings, help texts, messages (every text in the
code with a space in it), and names. `python -m tests.test_english` lists what is found, file by file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
#: Rooms whose files are checked; `python -m tests.test_english` looks at all of them.
CHECKED = ("docs", "examples", "scripts", "daas_hub", "authenticators", "spawners", "templates", "demo", "benchmarks")

DOCS = ("*.md", "docs/**/*.md", "images/**/*.md", "examples/**/*.md", "tests/**/*.md")
PACKAGE = ("daas_hub", "authenticators", "spawners", "templates", "demo", "scripts", "benchmarks")
#: The reference of settings is made of the help texts, which are checked where they are written.
GENERATED = "docs/reference/settings"
#: The bundle with noVNC, which is built from session/web.
BUILT = "desktop.js"


class Rule(NamedTuple):
    """A mannerism, as a pattern, and what to write instead."""

    pattern: re.Pattern[str]
    better: str


def rule(pattern: str, better: str) -> Rule:
    """Return a rule; its pattern is one of words, in any capitals."""
    return Rule(re.compile(pattern, re.IGNORECASE), better)


RULES = (
    rule(r"\btold\b", "report, return, say, log; notified"),
    rule(r"\btells\b(?! apart)", "reports, returns, says, shows"),
    rule(r"(?<!\bthere )(?<!\bone )\b(?:is|are|was|were) none\b(?! of)", "is not a ..., is invalid, is missing"),
    rule(r"\bcode that is none\b", "an invalid code"),
    rule(r"\b(?:go|goes|going|went) on\b", "continue, keep running"),
    rule(r"\bletter by letter\b", "exactly; case-sensitive"),
    rule(r"\bso (?:many|long)\b(?! (?:as|that))", "the number: up to N, N seconds"),
    rule(r"\bways? in\b(?! which)", "login method; address"),
    rule(r"\bways? out\b", "egress; escape"),
    rule(r"\bmost_\w+", "max_..."),
    rule(r"\bmend(?:s|ed|ing)?\b", "fix, correct"),
    rule(r"\baffairs?\b", "concern, responsibility"),
    rule(r"\blast words\b", "last output"),
    rule(r"\bhours (?:are|were) (?:over|used up)\b", "reached its time limit; the sign-in has expired"),
    rule(r"\bgood for (?:its|\w+) hours\b", "valid for N hours; expires after"),
    rule(r"\bby other means\b", "from outside"),
    rule(r"\bis waited for\b", "waiting for"),
    rule(r"\bpeople type in\b", "the address users open"),
    rule(r"\band (?:its|their) like\b", "and related settings"),
    rule(r"\btakes? the place of\b", "replaces"),
    rule(r"\banew\b", "again"),
    rule(r"\bin words\b", "with a message"),
    rule(r"\bthe house\b|\bhouse's\b", "the package, the project"),
    rule(r"(?<![/.])\bdoors?\b(?!\.)", "entry point, socket, login method, spawner"),
    rule(
        r"\bstands? (?:in|on|under|below|above|beside|with|here|there)\b",
        "is in ..., is listed in ..., is set in ...",
    ),
    rule(r"\bbeside (?:that|this|these|those|them|which|what|it|others?|another|each|`)", "in addition to; next to"),
    rule(r"\b(?:set|given|written|named) beside\b", "set together with, in addition to"),
    rule(r"\b(?:is|are) (?:to be )?said\b", "is documented, is shown, is set; says"),
    rule(r"\bcannot be (?:had|meant)\b", "is not available, cannot be pulled; is out of range"),
    rule(r"\bhanded on\b|\bhand (?:it|them) on\b", "passed; redistributed"),
    rule(r"\bwhichever way\b", "however"),
    rule(r"\bfor want of\b", "because ... is missing, is used up"),
    rule(r"\bhas a say\b", "is used, is ignored"),
    rule(r"\bthe own\b", "its own, their own"),
    rule(r"\b(?:place|backend|hub|source|machine)s? that (?:is|are) away\b", "does not respond, is not running"),
    Rule(
        re.compile(r"(?:^|(?<=[.!?:;] )|(?<=[.!?:;]\n))Who\b[^.?!]*\.", re.MULTILINE), "Users who ..., People who ..."
    ),
)
#: For the first line of a docstring.
DOCSTRING_RULES = (Rule(re.compile(r"^(?:Give|Tell|Have)\b"), "Return ..., or another imperative verb"),)
#: For names in the code.
NAME_RULES = (
    Rule(re.compile(r"^_?most_|_most$"), "max_..."),
    Rule(re.compile(r"(?:^|_)(?:told|tells?|telling)(?:_|$)"), "what the value is; report, message"),
)


class Offence(NamedTuple):
    """What was found."""

    line: int
    words: str
    better: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.words!r}; better: {self.better}"


def broken_rules(text: str, line: int, rules: tuple[Rule, ...] = RULES) -> Iterator[Offence]:
    """Return what breaks the rules in a text that begins at `line`."""
    for one in rules:
        for found in one.pattern.finditer(text):
            where = line + text.count("\n", 0, found.start())
            yield Offence(where, " ".join(found[0].split()), one.better)


def blanked(text: str, pattern: str) -> str:
    """Return a text without what the pattern matches; lines keep their numbers."""
    return re.sub(pattern, lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.MULTILINE | re.DOTALL)


def in_markdown(text: str) -> Iterator[Offence]:
    """Return what is found in a page's prose; code and addresses are not prose."""
    prose = blanked(text, r"^ *```.*?^ *```$|`[^`\n]+`|\]\([^)\s]+\)|<!--.*?-->")
    yield from broken_rules(prose, 1)


def in_template(text: str) -> Iterator[Offence]:
    """Return what is found in the words of a template."""
    yield from broken_rules(blanked(text, r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>"), 1)


def in_script(text: str) -> Iterator[Offence]:
    """Return what is found in the texts of a script: those with a space are read by people."""
    for found in re.finditer(r'"[^"\n]* [^"\n]*"|\'[^\'\n]* [^\'\n]*\'|`[^`]* [^`]*`', text):
        yield from broken_rules(found[0], 1 + text.count("\n", 0, found.start()))


def in_python(text: str) -> Iterator[Offence]:
    """Return what is found in the texts and the names of a module."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield from broken_rules(node.value, node.lineno)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield from broken_rules(docstring.partition("\n")[0], node.body[0].lineno, DOCSTRING_RULES)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield from broken_rules(node.id, node.lineno, NAME_RULES)
        elif isinstance(node, ast.arg):
            yield from broken_rules(node.arg, node.lineno, NAME_RULES)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from broken_rules(node.name, node.lineno, NAME_RULES)


def in_comments(text: str) -> Iterator[Offence]:
    """Return what is found in a configuration that administrators copy: comments and texts."""
    yield from broken_rules(text, 1)


READERS = {".md": in_markdown, ".html": in_template, ".js": in_script, ".py": in_python}


def offences_of(file: Path) -> list[Offence]:
    """Return everything that is found in a file, in the order of its lines."""
    is_example = file.name == "jupyterhub_config.py"
    found = (in_comments if is_example else READERS[file.suffix])(file.read_text())
    return sorted(set(found))


def rooms() -> dict[str, list[Path]]:
    """Return the files of each room."""
    docs = {file for pattern in DOCS for file in ROOT.glob(pattern) if "node_modules" not in file.parts}
    found = {"docs": sorted(file for file in docs if not name_of(file).startswith(GENERATED))}
    for room in PACKAGE:
        files = (file for file in (ROOT / room).rglob("*") if file.suffix in {".py", ".html", ".js"})
        found[room] = sorted(file for file in files if "vendor" not in file.parts and file.name != BUILT)
    found["examples"] = sorted([ROOT / "jupyterhub_config.py", *(ROOT / "examples").rglob("*.py")])
    return found


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", [file for room in CHECKED for file in rooms()[room]], ids=name_of)
def test_plain_english(file: Path) -> None:
    assert [str(offence) for offence in offences_of(file)] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("What the service told.", ["told"], id="told"),
        pytest.param("It tells the name; `told` is code.", ["tells"], id="tells"),
        pytest.param("Capitals tell names apart, which tells apart two.", [], id="tell apart is English"),
        pytest.param("a code that is none", ["code that is none", "is none"], id="is none"),
        pytest.param("If there is none, or none of them is there.", [], id="there is none is English"),
        pytest.param("The session\ngoes on.", ["goes on"], id="over the end of a line"),
        pytest.param("Who has no account reads why.", ["Who has no account reads why."], id="a sentence with Who"),
        pytest.param("Who may launch? Users who are members.", [], id="a question"),
        pytest.param("The one way in which it works; ways in: two.", ["ways in"], id="way in"),
        pytest.param("a stand-in, `*` stands for one part", [], id="stands for is English"),
        pytest.param("It stands in the log.", ["stands in"], id="stands"),
        pytest.param("See [told](told.md) and ```told```.", ["told"], id="a link's address is no prose"),
        pytest.param("```sh\ntold\n```\nfine", [], id="a block of code"),
        pytest.param("Where the data are is said below.", ["is said"], id="is said"),
        pytest.param("It may be handed on; its own hands on, and the owner.", ["handed on"], id="handed on"),
        pytest.param("The idle culler, user options, auth state, named servers, spawn pending.", [], id="the hub's"),
    ],
)
def test_what_the_rules_find_in_a_page(text: str, words: list[str]) -> None:
    assert sorted(one.words for one in in_markdown(text)) == sorted(words)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('def f():\n    """Give the name."""\n', [(2, "Give")], id="a docstring"),
        pytest.param('def f():\n    """Return it.\n\n    What was told.\n    """\n', [(4, "told")], id="its line"),
        pytest.param('log.info("%s goes on", name)\n', [(1, "goes on")], id="a message"),
        pytest.param('x = f"it {y} goes on"\n', [(1, "goes on")], id="a formatted message"),
        pytest.param('x = {"told": 1}\n', [], id="a key is no sentence"),
        pytest.param("def f(most_bytes): told = most_bytes\n", [(1, "most_"), (1, "told")], id="names"),
        pytest.param("from x import told_y\n", [], id="a name of others"),
        pytest.param("almost_all = utmost = 1\n", [], id="words that contain others"),
    ],
)
def test_what_the_rules_find_in_a_module(text: str, found: list[tuple[int, str]]) -> None:
    assert sorted((one.line, one.words) for one in in_python(text)) == sorted(found)


def test_what_the_rules_find_in_pages_and_scripts() -> None:
    assert [one.words for one in in_template("{# told #}<p title='told'>\n{{ told }} goes on</p>")] == ["goes on"]
    assert [str(one) for one in in_script('a();\nsay("it goes on");')] == [
        "line 2: 'goes on'; better: continue, keep running"
    ]


def main() -> None:
    """Print what is found in every room."""
    for room, files in rooms().items():
        counts = {name_of(file): offences_of(file) for file in files}
        print(f"{room}: {sum(map(len, counts.values()))}")
        for name, offences in counts.items():
            for offence in offences:
                print(f"  {name} {offence}")


if __name__ == "__main__":
    main()
