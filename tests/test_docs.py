"""The documentation says what is so: the reference is current, links lead somewhere, examples work, names exist.

What the pages say in words is read by people; what can be compared with the code is compared here.
"""

from __future__ import annotations

import ast
import configparser
import importlib.util
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.spawner import Spawner

from daas_hub.accounts.factories import SETTINGS
from daas_hub.accounts.sources import table as accounts
from daas_hub.catalogue import reader as catalogue
from daas_hub.commands.check_config import check_config
from daas_hub.proposals.sources import static as proposals
from daas_hub.services.yaml_document import read_document
from daas_hub.spawners.sandbox.checks import sandbox_problem
from tests.doc_pages import PAGES, ROOT, name_of

PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
MAX_PICTURE_BYTES = 250_000

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
#: Written in pieces, so that this file names none of them.
REGISTRIES = [
    ".".join(name) for name in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("debian", "org"))
]
#: Paths of the machine something was written on.
MACHINE_PATHS = re.compile(r"/work/|/opt/daas-hub/\d|/home/\w+/src|/tmp/\w")


def blocks_of(page: Path, language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(page.read_text()) if kind == language]


def prose_of(page: Path) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text()))


def reference() -> ModuleType:
    """Load the script that writes the reference."""
    spec = importlib.util.spec_from_file_location("daas_reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_current() -> None:
    script = reference()
    found = {path: path.read_text() for path in [script.INDEX, *script.FOLDER.glob("*.md")]}
    assert found == script.pages(), "run `python -m scripts.reference`"


def test_every_settings_class_is_in_the_index() -> None:
    """A class with settings of ours is on a page: what `daas-hub check-config` knows, a reader can look up."""
    documented = set(reference().CLASSES)
    assert set(SETTINGS) - documented == set()
    assert len(documented) == len(reference().CLASSES)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(prose_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def test_every_page_and_picture_is_linked() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in _LINK.findall(prose_of(page))
        if not re.match(r"[a-z]+:", link)
    }
    docs = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page.name != "README.md"}
    assert {name_of(one) for one in {*docs, *PICTURES} - linked} == set()


@pytest.mark.parametrize("picture", PICTURES, ids=name_of)
def test_pictures_are_small(picture: Path) -> None:
    assert picture.read_bytes().startswith(b"<svg" if picture.suffix == ".svg" else b"\x89PNG")
    assert picture.stat().st_size <= MAX_PICTURE_BYTES


def test_drawings_are_described_and_run_nothing() -> None:
    """For a screen reader, on light and on dark pages."""
    drawings = [one for one in PICTURES if one.suffix == ".svg"]
    assert drawings
    for drawing in drawings:
        root = ElementTree.parse(drawing).getroot()
        names = [element.tag.rpartition("}")[2] for element in root.iter()]
        assert root.get("role") == "img"
        assert [element.get("id") for element in root[:2]] == ["title", "desc"]
        assert all(element.text for element in root[:2])
        assert "script" not in names
        assert "prefers-color-scheme: dark" in drawing.read_text()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_name_no_registry_and_no_path_of_a_machine(page: Path) -> None:
    text = page.read_text()
    assert [host for host in REGISTRIES if host in text] == []
    assert MACHINE_PATHS.findall(text) == []


def yaml_examples() -> Iterator[tuple[str, str]]:
    """Return every YAML example with the path its first line names."""
    for page in PAGES:
        for text in blocks_of(page, "yaml"):
            first = text.partition("\n")[0]
            match = re.match(r"# /etc/daas(?:-hub)?/(.+)", first)
            assert match, f"{name_of(page)}: an example begins with its path"
            yield match[1], text


@pytest.fixture
def facility_folder(tmp_path: Path) -> Path:
    """What the examples name below /etc/daas-hub, written out."""
    for name, text in yaml_examples():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_yaml_examples_can_be_read(facility_folder: Path) -> None:
    read_document(facility_folder / "accounts.yaml", accounts._Table)
    read_document(facility_folder / "proposals.yaml", proposals._Proposals)
    found, problems = catalogue.read_catalogue(facility_folder / "applications")
    assert problems == []
    assert {"pymca", "jupyterlab", "logbook"} <= set(found.applications)


def test_the_readmes_configuration_is_in_order(facility_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = [block for block in blocks_of(ROOT / "README.md", "python") if "configure(c)" in block]
    (facility_folder / "secrets").mkdir(mode=0o700)
    (facility_folder / "secrets" / "oidc").write_text("only-for-this-test\n")
    (facility_folder / "secrets" / "oidc").chmod(0o600)
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    file = facility_folder / "jupyterhub_config.py"
    file.write_text(text.replace("/etc/daas-hub", str(facility_folder)))
    problems = [str(problem) for problem in check_config(file)]
    if sandbox_problem() is not None:
        # this machine's affair, and not the page's
        problems = [problem for problem in problems if "SandboxSpawner.bwrap" not in problem]
    assert problems == []


def setting_classes() -> dict[str, type]:
    script = reference()
    return {cls.__name__: cls for cls in (*script.CLASSES, JupyterHub, Authenticator, Spawner, ConfigurableHTTPProxy)}


def test_every_source_of_proposals_has_a_page_and_settings_with_words() -> None:
    """ES37, AL52: by configuration alone, so the words are all there is."""
    group = [entry for entry in entry_points(group="daas_hub.proposals") if entry.name != "static"]
    documented = {cls.__name__ for cls in reference().CLASSES}
    overview = (ROOT / "docs" / "how-to" / "proposals-from-a-catalogue.md").read_text()
    for entry in group:
        source = entry.load()
        assert source.__name__ in documented
        assert f"| `{entry.name}` | [" in overview
        traits = source.class_traits(config=True)
        assert [name for name, trait in traits.items() if not trait.help] == []
    assert len(group) == 7


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_a_page_names_exists(page: Path) -> None:
    classes = setting_classes()
    named = re.findall(rf"\b({'|'.join(classes)})\.(?!md\b)([a-z]\w*)", page.read_text())
    # the wrong one is what the page about mistakes shows, the former one what the page about upgrades shows
    unknown = {f"{cls}.{name}" for cls, name in named if not hasattr(classes[cls], name)}
    assert unknown - {"Facility.acounts_file", "Facility.lowest_id"} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_a_page_names_exists(page: Path) -> None:
    sources = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("*.py"))
    known = set(re.findall(r"\bdef (test_\w+)", sources))
    assert set(re.findall(r"`(test_\w+)`", page.read_text())) - known == set()


def test_the_layers_of_the_page_are_the_contract() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:layers"]["layers"].split("\n")
    page = (ROOT / "docs" / "explanations" / "architecture.md").read_text()
    rows = re.findall(r"^\| \d+ \| (.*) \|$", page, re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in rows] == [line.split(" | ") for line in layers if line]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_a_page_names_exists(page: Path) -> None:
    """Code that moved must not leave its old path behind: `launch/plan.py`, from the checkout or from daas_hub/."""
    named = set(re.findall(r"`((?:[a-z_.]+/)+[a-z_]+\.py)`", page.read_text()))
    # in the repository of the predecessor
    named -= {"services/user.py"}
    assert {name for name in named if not any((ROOT / room / name).exists() for room in ("", "daas_hub"))} == set()


def texts_of_the_package() -> str:
    """Return every text in the code and the pages, each on a line of its own."""
    found: list[str] = []
    for room in ("daas_hub", "authenticators", "spawners"):
        for file in (ROOT / room).rglob("*.py"):
            found += [
                node.value
                for node in ast.walk(ast.parse(file.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    found += [" ".join(file.read_text().split()) for file in (ROOT / "templates").glob("*.html")]
    return "\n".join(found)


def test_messages_the_person_on_call_looks_for_exist() -> None:
    """What docs/how-to/what-to-do-when.md quotes of the log and of pages is what the code says."""
    page = (ROOT / "docs" / "how-to" / "what-to-do-when.md").read_text()
    table = page.partition("## Log messages")[2].partition("\n## ")[0]
    quoted = [
        one for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for one in re.findall(r"`([^`]+)`", row)
    ]
    quoted += re.findall(r'\*"([^"]+)"\*', page)
    assert len(quoted) > 40
    texts = texts_of_the_package()
    # `...` is a value; what is between two of them must be in one text
    parts = {part.strip(" :;,()=") for one in quoted for part in " ".join(one.split()).split("...")}
    missing = [part for part in sorted(parts) if len(part) >= 6 and part not in texts]
    assert not missing, "\n".join(missing)
