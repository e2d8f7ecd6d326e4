"""What is installed and what is shipped: setup.cfg and MANIFEST.in against the tree (SO10, R07).

`packages = find:` cannot see the mapped folders, so the lists are written by hand and compared here.
"""

from __future__ import annotations

import configparser
import os
import subprocess
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Built into static/desktop.js; shipped with the sources, not installed.
BUILT_FROM = {"daas_hub/session/web"}
BUILT = {"daas_hub/session/static/desktop.js"}
#: For those who work on the project, not for those who install it.
ONLY_IN_GIT = (".git", ".editorconfig")


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def package_dirs(setup_cfg: configparser.ConfigParser) -> dict[str, str]:
    """Folder of the checkout -> package, for what `package_dir` maps."""
    lines = setup_cfg["options"]["package_dir"].split("\n")
    pairs = [line.split("=") for line in lines if line.strip()]
    return {folder.strip(): package.strip() for package, folder in pairs}


def folders_of(top: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(top):
        if "__pycache__" not in folder and "/." not in folder.removeprefix(str(ROOT)):
            yield Path(folder)


def package_of(folder: Path, package_dirs: dict[str, str]) -> str:
    """Return the package a folder belongs to."""
    parts = folder.relative_to(ROOT).parts
    return ".".join([package_dirs.get(parts[0], parts[0]), *parts[1:]])


def test_the_package_list_is_the_tree(setup_cfg: configparser.ConfigParser, package_dirs: dict[str, str]) -> None:
    listed = {line for line in setup_cfg["options"]["packages"].split("\n") if line}
    tree = {
        package_of(folder, package_dirs)
        for top in ("daas_hub", *package_dirs)
        for folder in folders_of(ROOT / top)
        if (folder / "__init__.py").exists()
    }
    assert listed == tree


def test_every_python_file_is_in_a_package(package_dirs: dict[str, str]) -> None:
    homeless = [
        str(file)
        for top in ("daas_hub", *package_dirs)
        for file in (ROOT / top).rglob("*.py")
        if not (file.parent / "__init__.py").exists()
    ]
    assert homeless == []


def test_package_data_covers_every_other_file(
    setup_cfg: configparser.ConfigParser, package_dirs: dict[str, str]
) -> None:
    patterns = {
        package: [line for line in text.split("\n") if line]
        for package, text in setup_cfg["options.package_data"].items()
    }
    folders = {package: ROOT / folder for folder, package in package_dirs.items()}
    covered = {
        str(file.relative_to(ROOT))
        for package, wanted in patterns.items()
        for pattern in wanted
        for file in _folder(package, folders).glob(pattern)
    }
    there = {
        str(file.relative_to(ROOT))
        for top in ("daas_hub", *package_dirs)
        for folder in folders_of(ROOT / top)
        for file in folder.iterdir()
        if file.is_file() and file.suffix not in (".py", ".pyc") and str(folder.relative_to(ROOT)) not in BUILT_FROM
    }
    assert there - BUILT <= covered


def _folder(package: str, folders: dict[str, Path]) -> Path:
    for mapped, folder in folders.items():
        if package == mapped or package.startswith(f"{mapped}."):
            return folder.joinpath(*package.removeprefix(mapped).strip(".").split("."))
    return ROOT.joinpath(*package.split("."))


def test_every_pattern_of_package_data_finds_something(
    setup_cfg: configparser.ConfigParser, package_dirs: dict[str, str]
) -> None:
    folders = {package: ROOT / folder for folder, package in package_dirs.items()}
    idle = [
        f"{package}: {pattern}"
        for package, text in setup_cfg["options.package_data"].items()
        for pattern in text.split("\n")
        if pattern and not any(_folder(package, folders).glob(pattern))
    ]
    assert idle == []


def test_the_entry_points_lead_to_something(setup_cfg: configparser.ConfigParser) -> None:
    from importlib.metadata import EntryPoint

    for group, text in setup_cfg["options.entry_points"].items():
        for line in text.split("\n"):
            if line:
                name, _, value = (part.strip() for part in line.partition("="))
                assert EntryPoint(name, value, group).load(), line


def test_the_sdist_is_whole(
    setup_cfg: configparser.ConfigParser, package_dirs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has only the sdist can install, test and document from it: it holds what git holds."""
    asked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip("not a git checkout")
    tracked = {name for name in asked.stdout.splitlines() if (ROOT / name).is_file()}
    from setuptools.command.egg_info import FileList

    monkeypatch.chdir(ROOT)
    shipped = FileList()
    lines = [line.strip() for line in (ROOT / "MANIFEST.in").read_text().splitlines()]
    for line in lines:
        if line and not line.startswith("#"):
            shipped.process_template_line(line)
    # what setuptools takes without being told: the packages, their data, and the files that describe the build
    tops = ("daas_hub", *package_dirs)
    told = {name for name in tracked if name.split("/")[0] in tops and Path(name).parent.as_posix() not in BUILT_FROM}
    told |= {"setup.cfg", "pyproject.toml", "README.md"}
    missing = {name for name in tracked - told - set(shipped.files) if not name.startswith(ONLY_IN_GIT)}
    assert missing == set()


def test_the_quick_tests_are_there() -> None:
    """`make quick` names files and folders; one that was renamed would stop it with an error of pytest."""
    asked = subprocess.run(
        ["make", "--no-print-directory", "-pn", "quick"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    (line,) = [one for one in asked.stdout.splitlines() if one.startswith("QUICK_TESTS :=")]
    names = line.partition(":=")[2].split()
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_every_example_is_installed(setup_cfg: configparser.ConfigParser) -> None:
    """`daas-hub init --example` reads it where data_files put it."""
    installed = {line for text in setup_cfg["options.data_files"].values() for line in text.split("\n") if line}
    examples = {file.relative_to(ROOT).as_posix() for file in ROOT.glob("examples/*/jupyterhub_config.py")}
    assert examples <= installed


def test_the_workflow_calls_what_ci_runs() -> None:
    """One script says what CI is; the workflow only says when."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    steps = [line.split("run: ")[1] for line in text.splitlines() if "run: " in line]
    assert ".ci/run" in steps
    assert "make quick" in steps


def test_nothing_of_jupyterlab_is_overwritten(setup_cfg: configparser.ConfigParser) -> None:
    """JupyterLab's `overrides.json` is the administrator's: an installation must not overwrite it."""
    folders = set(setup_cfg["options.data_files"])
    assert {folder for folder in folders if not folder.startswith("share/daas-hub/")} == set()
    installed = [str(path) for path in distribution("daas-hub").files or ()]
    assert [path for path in installed if "share/jupyter" in path or path.endswith("labconfig")] == []
    assert "daas_hub/session/overrides.json" in installed
