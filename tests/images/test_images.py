"""Each image, as a session uses it: `make image-test IMAGE=name`. What is expected stands in images/*/smoke.toml."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import docker
import pytest

from daas_hub.catalogue import Application, Kind, icon_file
from daas_hub.version import __version__
from tests.images.conftest import IMAGES, SMOKES, Smoke
from tests.images.session import ACCOUNT, Container, container_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

#: What others are built on, what is copied, and what runs no session.
NO_SESSION = ("base", "hub", "licensed", "nginx", "template", "wheel")

#: The images have no file of ours.
OPENGL_PLOT = Path(__file__).parents[1] / "sandbox" / "opengl_plot.py"

each_image = pytest.mark.parametrize("smoke", SMOKES, ids=lambda smoke: smoke.name)
each_window = pytest.mark.parametrize(
    ("smoke", "application"),
    [pytest.param(smoke, one, id=f"{smoke.name}-{one.name}") for smoke in SMOKES for one in smoke.desktops],
)
each_notebook = pytest.mark.parametrize(
    "smoke", [smoke for smoke in SMOKES if "notebook" in smoke.document], ids=lambda smoke: smoke.name
)


def test_every_image_has_what_belongs_to_it() -> None:
    """Folder by folder: a Dockerfile, a catalogue file, a smoke test and a recipe (AL23)."""
    for folder in sorted(path.parent for path in IMAGES.glob("*/Dockerfile")):
        if folder.name in NO_SESSION:
            continue
        for name in ("smoke.toml", "recipe.md"):
            assert (folder / name).is_file(), f"{folder.name} has no {name}"
        steps = re.findall(r"^\d+\. ", (folder / "recipe.md").read_text(), re.MULTILINE)
        assert steps == ["1. ", "2. ", "3. "], f"{folder.name}/recipe.md has {len(steps)} steps"


@each_image
def test_catalogue_files(smoke: Smoke) -> None:
    """Every catalogue file names its own image, in this version, and every window is looked for."""
    assert smoke.applications, f"{smoke.name} has no catalogue file"
    for application in smoke.applications.values():
        assert application.image == f"localhost/daas-hub/{smoke.name}:{__version__}"
        if application.kind is Kind.DESKTOP:
            assert smoke.document["applications"][application.name]["windows"]


@each_image
def test_every_window_has_an_icon_of_its_own(smoke: Smoke) -> None:
    """From its package, with its licence; it scales, and has nothing that runs or is fetched."""
    for application in smoke.desktops:
        icon = icon_file(application)
        assert icon.name != "desktop.svg" or application.name == "desktop"
        root = ElementTree.fromstring(icon.read_bytes())
        assert root.get("viewBox"), icon
        assert application.icon is None or "<!-- " in icon.read_text() or icon.name == "pymca.svg", icon
        for element in root.iter():
            assert element.tag.rpartition("}")[2] not in ("script", "foreignObject", "style", "a"), icon
            for name, value in element.attrib.items():
                assert not name.startswith("on"), icon
                assert not name.endswith("href") or value.startswith(("#", "data:image/png;base64,")), icon


@each_image
def test_image(engine: docker.APIClient, smoke: Smoke, built: str) -> None:
    """What every image owes: labels, nobody as its user, nothing that runs as somebody else, its size."""
    found = engine.inspect_image(built)
    config = found["Config"]
    assert config["User"] == "65534:65534"
    assert [name for name in ("Entrypoint", "Volumes", "ExposedPorts") if config.get(name)] == []
    assert config["Cmd"] == ["daas-lab" if "notebook" in smoke.document else "daas-session"]
    labels = config["Labels"]
    for name in ("title", "description", "version", "licenses"):
        assert labels.get(f"org.opencontainers.image.{name}"), name
    assert labels["org.opencontainers.image.version"] == __version__
    largest = smoke.document.get("largest_mb")
    assert largest is None or found["Size"] <= largest * 1_000_000, f"{found['Size'] / 1e6:.0f} MB"
    _check_files(engine, built)


def _check_files(engine: docker.APIClient, tag: str) -> None:
    """Run the image's own check as root, who sees every file."""
    made = engine.create_container(
        tag, ["/usr/local/bin/check-image"], user="0:0", host_config=engine.create_host_config(network_mode="none")
    )
    try:
        engine.start(made["Id"])
        code = engine.wait(made["Id"])["StatusCode"]
        assert code == 0, engine.logs(made["Id"]).decode()
    finally:
        engine.remove_container(made["Id"], force=True)


@each_window
def test_application(engine: docker.APIClient, smoke: Smoke, built: str, application: Application) -> None:
    """As an account that no image knows: window and icon are there, the sample opens, nobody is root (DI19)."""
    expected = smoke.document["applications"][application.name]
    program = ["daas-session", "--embedded", "/run/session/web.sock", "--application", application.name]
    with container_of(engine, replace(application, image=built), program, smoke.desktops) as container:
        try:
            within_s = expected.get("within_s", 60)
            for words in expected["windows"]:
                container.wait_for_window(words, timeout_s=within_s)
                if expected.get("has_icon", True):
                    container.wait_for_icon(words)
            for command in expected.get("checks", ()):
                container.run(command, environment=dict(application.environment))
            if "opens" in expected:
                before = container.count(expected["then"])
                container.start(expected["opens"])
                container.wait_for_window(expected["then"], beside=before, timeout_s=within_s)
            _check_session(container)
            container.take_picture(f"{smoke.name}-{application.name}")
        except AssertionError:
            container.take_picture(f"failed-{smoke.name}-{application.name}")
            raise


@pytest.mark.parametrize("smoke", [smoke for smoke in SMOKES if smoke.name == "desktop"], ids=lambda smoke: smoke.name)
def test_the_last_words_of_a_program_are_in_the_report(engine: docker.APIClient, smoke: Smoke, built: str) -> None:
    """At once, and not after the time that a window may take: whoever makes an image reads why it does not start."""
    words = "error while loading shared libraries: libabsent.so.1"
    command = ("sh", "-c", f"echo '{words}' >&2; exit 127")
    application = replace(smoke.applications["desktop"], image=built, command=command)
    program = ["daas-session", "--embedded", "/run/session/web.sock", "--application", application.name]
    with (
        container_of(engine, application, program, [application]) as container,
        pytest.raises(AssertionError) as report,
    ):
        container.wait_for_window("Window")
    assert "the program ended with 127, and said:" in str(report.value)
    assert words in str(report.value)


@pytest.mark.parametrize("smoke", [smoke for smoke in SMOKES if smoke.name == "silx"], ids=lambda smoke: smoke.name)
def test_silx_draws_with_opengl(engine: docker.APIClient, smoke: Smoke, built: str) -> None:
    """Its plots and 3D views, with Mesa's software renderer, as in a sandbox."""
    application = replace(smoke.applications["silx"], image=built)
    program = ["daas-session", "--embedded", "/run/session/web.sock", "--application", application.name]
    with container_of(engine, application, program, smoke.desktops) as container:
        container.wait_for_window("Silx viewer")
        said = container.run_on_screen(["python", "-c", OPENGL_PLOT.read_text()])
    assert "backend BackendOpenGL\ncolours True\nrenderer llvmpipe" in said, said


@each_notebook
def test_notebook(engine: docker.APIClient, smoke: Smoke, built: str) -> None:
    """The notebook server's parts import, a kernel starts and runs the sample, and prints what it should."""
    expected = smoke.document["notebook"]
    application = next(one for one in smoke.applications.values() if one.kind is Kind.NOTEBOOK)
    with container_of(engine, replace(application, image=built), ["sleep", "600"], smoke.desktops) as container:
        container.run(["python", "-c", f"import {', '.join(expected['imports'])}"])
        run = "import sys; from nbconvert.nbconvertapp import main; main(sys.argv[1:])"
        said = container.run(
            ["python", "-c", run, "--to", "notebook", "--execute", "--stdout", "--log-level=ERROR", expected["run"]]
        )
        cells = json.loads(said[said.index("{") : said.rindex("}") + 1])["cells"]
        outputs = json.dumps([output for cell in cells for output in cell.get("outputs", ())])
        assert expected["prints"] in outputs, outputs[:2000]
        _check_session(container)


def _check_session(container: Container) -> None:
    assert container.run(["id", "-u"]).strip() == str(ACCOUNT.uid)
    assert container.run(["cat", "/home/visitor/data/sample.txt"]).startswith("a file")
    for protocol in ("tcp", "tcp6"):
        sockets = container.run(["cat", f"/proc/net/{protocol}"]).splitlines()[1:]
        assert not [line for line in sockets if line.split()[3] == "0A"], "something listens"
    users = container.run(["sh", "-c", "cat /proc/[0-9]*/status | grep ^Uid:"]).split("\n")
    assert {line.split()[1] for line in users if line} == {str(ACCOUNT.uid)}
