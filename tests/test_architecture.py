"""Which room may import which, read from the source, so that it holds for imports inside functions too.

The floors in full are a contract of import-linter (`.importlinter`); these are the three rules that are never bent.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = ("authenticators", "spawners", "templates", "demo")
ROOMS = ("daas_hub", *PLUGINS)
#: `daas-hub demo` is the one command that knows the demo.
MAY = {("daas_hub/commands/demo.py", "daas_hub.demo")}

SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for top in (*ROOMS, "benchmarks", "scripts", "tests")
    for path in (ROOT / top).rglob("*.py")
)
SOURCES += ["conftest.py", "jupyterhub_config.py"]


def imports_of(name: str, root: Path = ROOT) -> Iterator[str]:
    """Return every module a file imports, anywhere in it, by its full name."""
    parts = Path(name).with_suffix("").parts
    package = list(parts[:-1] if parts[0] == "daas_hub" else ("daas_hub", *parts[:-1]))
    for node in ast.walk(ast.parse((root / name).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("daas_hub/")])
def test_the_package_never_imports_its_plugins(name: str) -> None:
    plugins = [f"daas_hub.{plugin}" for plugin in PLUGINS]
    found = {plugin for plugin in plugins for module in imports_of(name) if within(module, plugin)}
    assert {plugin for plugin in found if (name, plugin) not in MAY} == set()


@pytest.mark.parametrize("name", SOURCES)
def test_nobody_imports_a_plugin_by_its_folder(name: str) -> None:
    """`import spawners` would be a second copy of every class."""
    assert [module for module in imports_of(name) if within(module, *PLUGINS)] == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("daas_hub/session/")])
def test_a_session_knows_only_the_errors(name: str) -> None:
    ours = [module for module in imports_of(name) if within(module, "daas_hub") and module != "daas_hub"]
    allowed = (
        "daas_hub.disk_space", "daas_hub.errors", "daas_hub.launch_login", "daas_hub.lifetime",
        "daas_hub.log_redaction", "daas_hub.origins", "daas_hub.relay", "daas_hub.session",
    )  # fmt: skip
    assert [module for module in ours if not within(module, *allowed)] == []


def test_images_keep_what_a_session_imports() -> None:
    """Also what that imports: the images have nothing else of the package, and a short `__init__` of their own."""
    kept = set(re.findall(r"! -name ([a-z_]+)(?:\.py)?\b", (ROOT / "images" / "wheel" / "Dockerfile").read_text()))
    found: set[str] = set()
    left = {name for name in SOURCES if name.startswith("daas_hub/session/")}
    while left:
        found |= left
        modules = {module for name in left for module in imports_of(name) if within(module, "daas_hub")}
        paths = {module.replace(".", "/") for module in modules}
        paths |= {path.rpartition("/")[0] for path in paths}
        files = {file for path in paths for file in (f"{path}.py", f"{path}/__init__.py")}
        left = (files & set(SOURCES)) - found - {"daas_hub/__init__.py"}
    parts = {name.split("/")[1].removesuffix(".py") for name in found}
    assert {"session", "disk_space", "amounts"} <= parts
    assert parts - kept == set()


@pytest.mark.parametrize(
    "name", [name for name in SOURCES if name.startswith(ROOMS) and not name.startswith("daas_hub/session/")]
)
def test_the_hub_never_imports_what_runs_in_a_session(name: str) -> None:
    assert [module for module in imports_of(name) if within(module, "daas_hub.session")] == []


def test_the_reader_of_imports_sees_them_all(tmp_path: Path) -> None:
    """The guard itself is guarded: relative, in a function, renamed, under TYPE_CHECKING."""
    (tmp_path / "daas_hub").mkdir()
    (tmp_path / "daas_hub" / "x.py").write_text(
        "from . import spawners\nfrom .demo.profile import demo\ndef f():\n    import daas_hub.templates as t\n"
        "from daas_hub import authenticators\n"
    )
    seen = set(imports_of("daas_hub/x.py", tmp_path))
    assert {f"daas_hub.{plugin}" for plugin in PLUGINS} <= {".".join(module.split(".")[:2]) for module in seen}


def test_a_hub_with_sandboxes_loads_no_engine() -> None:
    """What a hub does not use it need not install: each extra's libraries are loaded where they are configured."""
    program = """
import sys
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.commands.check_config import check_config
from daas_hub.portal import portal_handlers
from daas_hub.spawners.sandbox.spawner import SandboxSpawner
used = {"aiodocker", "docker", "dockerspawner", "asyncssh", "ldap3", "jupyterlab", "jupyter_server_proxy"}
used |= {"kubernetes_asyncio", "kubespawner"}
print(*sorted(used & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", f"import conftest\n{program}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("tests/")])
def test_no_test_imports_from_a_test(name: str) -> None:
    """What tests share stands in a module of its own: scenes, fakes, keys."""
    assert [
        module
        for module in imports_of(name)
        if re.search(r"^daas_hub\.tests\..*\btest_\w+\.|^tests\..*\btest_\w+\.", module)
    ] == []


#: Functions of `re` with which "$" also matches before a line break at the end.
_ENDS_LOOSELY = re.compile(
    r"""re\.(?:match|search|sub|split|findall|finditer|compile)\(\s*[rbf]*(["'])(?:(?!\1).)*\$\1"""
)


@pytest.mark.parametrize("name", [name for name in SOURCES if name.partition("/")[0] in ROOMS])
def test_no_pattern_accepts_a_line_break_at_its_end(name: str) -> None:
    r"""`fullmatch`, or `\Z`: "1\n" is not a number."""
    lines = (ROOT / name).read_text().splitlines()
    assert [line for line in lines if _ENDS_LOOSELY.search(line) and "MULTILINE" not in line] == []


def test_the_image_has_every_module_that_a_session_imports() -> None:
    """Its build leaves the others out; otherwise only the build of an image would notice."""
    kept = set(re.findall(r"! -name ([a-z_]+)(?:\.py)?\b", (ROOT / "images" / "wheel" / "Dockerfile").read_text()))
    todo = [name for name in SOURCES if name.startswith("daas_hub/session/")]
    needed = {"session"}
    for name in todo:
        for module in imports_of(name):
            room = module.removeprefix("daas_hub.").split(".")[0]
            if within(module, "daas_hub") and f"daas_hub/{room}.py" in SOURCES and room not in needed:
                needed.add(room)
                todo.append(f"daas_hub/{room}.py")
            elif within(module, "daas_hub") and (ROOT / "daas_hub" / room).is_dir():
                needed.add(room)
    assert len(needed) > 4
    assert needed <= kept
