"""A container whose server accepts connections and does not respond ends after `http_timeout`, in words."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import PROBE
from tests.docker.engine import containers, image, start_docker_portal
from tests.docker.scenes import require_words
from tests.live_portal import Portal, remove
from tests.sandbox import silent_server
from tests.waiting import wait_for

pytestmark = pytest.mark.docker

IMAGE = "localhost/daas-test/silent"
HTTP_TIMEOUT_S = 4
INTERPRETER = "#!/opt/daas-hub/bin/python3 -I\n"


@pytest.fixture(scope="module")
def silent(engine: docker.APIClient) -> Iterator[Portal]:
    """A portal with an image whose `daas-session` responds to the hub's first request only."""
    made = engine.create_container(image("desktop"), user="0")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        files = {"daas-session": INTERPRETER + Path(silent_server.__file__).read_text(), "answers": "1"}
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o755
            tar.addfile(member, io.BytesIO(text.encode()))
    engine.put_archive(made["Id"], "/opt/daas-hub/bin", archive.getvalue())
    engine.commit(made["Id"], repository=IMAGE, tag="1")
    engine.remove_container(made["Id"])
    application = PROBE.replace("probe\ntitle: Probe", "silent\ntitle: Silent")
    running = start_docker_portal(
        silent=f"{application}sizes: [ample]\nimage: {IMAGE}:1\n",
        more_config=f"c.Spawner.http_timeout = {HTTP_TIMEOUT_S}\nc.Spawner.start_timeout = 120\n",
    )
    try:
        yield running
    finally:
        running.stop()
        remove(running)
        engine.remove_image(f"{IMAGE}:1", force=True)


def test_a_container_that_does_not_respond_ends_after_http_timeout(silent: Portal, engine: docker.APIClient) -> None:
    anna = silent.login("anna")
    words = f"The session did not respond within {HTTP_TIMEOUT_S} seconds."
    require_words(silent, anna, words, timeout_s=60, application="silent", proposal="MA-4242", visit="2")
    wait_for(lambda: not containers(engine, silent), "the removal of its container")
