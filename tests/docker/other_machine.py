"""Another machine: a second engine of this one, in a mount namespace in which the hub's own folder is not there.

It shares nothing with the hub but the storage.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from certipy import Certipy

from tests.docker.engine import APPLICATIONS, Control, image, prepare
from tests.live_portal import free_ports, new_state


@dataclass
class Machine:
    """The other machine: its engine's addresses, a client of it, and the folder both have."""

    folder: Path
    state: Path
    local: str
    tls: str
    engine: docker.APIClient


@contextmanager
def other_machine(engine: docker.APIClient, folder: Path) -> Iterator[Machine]:
    """Run a second engine, which answers over TLS to clients with a certificate and does not see the hub's folder.

    Args:
        engine: the first engine, which gives it the image of desktops.
        folder: an empty one, for certificates.
    """
    certificates = Certipy(store_dir=str(folder))
    certificates.create_ca("ca")
    for name in ("engine", "hub"):
        certificates.create_signed_pair(name, "ca", alt_names=["IP:127.0.0.1"])
    ours = folder / "ours"
    ours.mkdir()
    for source, target in (("ca/ca.crt", "ca.pem"), ("hub/hub.crt", "cert.pem"), ("hub/hub.key", "key.pem")):
        shutil.copyfile(folder / source, ours / target)
    state = new_state()
    (state / "run").mkdir()
    prepare(state, state / "applications", APPLICATIONS)
    port = free_ports(1)
    options = (
        f"-H tcp://127.0.0.1:{port} --tlsverify --tlscacert={folder}/ca/ca.crt "
        f"--tlscert={folder}/engine/engine.crt --tlskey={folder}/engine/engine.key"
    )
    try:
        with Control.small_engine(megabytes=2000, options=options, hide=state / "run") as local:
            client = docker.APIClient(base_url=local, version="1.45", timeout=120)
            client.load_image(engine.get_image(image("desktop")))
            yield Machine(ours, state, local, f"tcp://127.0.0.1:{port}", client)
            client.close()
    finally:
        shutil.rmtree(state, ignore_errors=True)


def over_tls(machine: Machine) -> str:
    """Return the lines of configuration that lead a hub to its engine."""
    return (
        f"c.ProposalDockerSpawner.engine = {machine.tls!r}\n"
        f"c.ProposalDockerSpawner.certificates = {str(machine.folder)!r}\n"
    )
