"""Packages and kernels of one's own, as docs/how-to/own-packages.md describes them, in the images with notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import docker
import pytest

from daas_hub.catalogue import Kind
from tests.images.conftest import SMOKES, Smoke
from tests.images.session import Container, container_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

#: Writes a wheel and a notebook into the home, as somebody who has both from elsewhere.
FILES = """
import json, os, zipfile
home = os.environ["HOME"]
with zipfile.ZipFile(f"{home}/beamstop-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("beamstop.py", "RADIUS = 42\\n")
    info = "beamstop-1.0.dist-info"
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: beamstop\\nVersion: 1.0\\n")
    kind = "Generator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\\n{kind}")
    wheel.writestr(f"{info}/RECORD", f"beamstop.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")
source = "import beamstop, h5py, sys; print(beamstop.RADIUS, h5py.__name__, sys.prefix)"
cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [], "source": source}
with open(f"{home}/own.ipynb", "w") as file:
    json.dump({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, file)
"""
EXECUTE = "import sys; from nbconvert.nbconvertapp import main; main(sys.argv[1:])"
ENVIRONMENT = "/home/visitor/environments/mine"


@pytest.fixture
def container(engine: docker.APIClient, smoke: Smoke, built: str) -> Iterator[Container]:
    """A session of JupyterLab, without a network."""
    application = next(one for one in smoke.applications.values() if one.kind is Kind.NOTEBOOK)
    with container_of(engine, replace(application, image=built), ["sleep", "300"], smoke.desktops) as running:
        yield running


@pytest.mark.parametrize("smoke", [one for one in SMOKES if one.name == "notebook"], ids=lambda smoke: smoke.name)
def test_a_kernel_of_ones_own(container: Container) -> None:
    """A wheel file is installed offline; the kernel is listed, and runs a cell with it and with the image's h5py."""
    container.run(["python", "-c", FILES])
    assert "Python (mine)" in container.run(["new-kernel", "mine"])
    wheel = "/home/visitor/beamstop-1.0-py3-none-any.whl"
    container.run([f"{ENVIRONMENT}/bin/pip", "install", "--no-index", wheel])

    kernels = json.loads(container.run(["jupyter", "kernelspec", "list", "--json"]))["kernelspecs"]
    assert kernels["mine"]["spec"]["display_name"] == "Python (mine)"
    assert kernels["mine"]["resource_dir"] == "/home/visitor/.local/share/jupyter/kernels/mine"

    notebook = ["--to", "notebook", "--execute", "--stdout", "--log-level=ERROR", "/home/visitor/own.ipynb"]
    run = container.run(["python", "-c", EXECUTE, "--ExecutePreprocessor.kernel_name=mine", *notebook])
    assert f"42 h5py {ENVIRONMENT}" in run, run
    # the image's own Python is as it was
    container.run(["python", "-c", "import importlib.util as u; assert u.find_spec('beamstop') is None"])

    # no other name than one that is a directory's, and no environment is made twice
    script = "for name in '' 'a b' ../x -x A mine; do new-kernel \"$name\" 2>&1 && exit 1; done; ls ~/environments"
    refused = container.run(["sh", "-c", script])
    assert refused.count("usage: new-kernel NAME") == 5
    assert refused.endswith(f"{ENVIRONMENT} exists already\nmine\n")
