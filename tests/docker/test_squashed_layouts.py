"""A container on the layouts of four facilities, where storage squashes root and the engine cannot walk their paths."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

import docker
import pytest

from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.docker.container_spec import HUB_LABEL, LocalFiles, create_body
from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.placed_mounts import PlacedMounts
from daas_hub.spawners.guest_layout import mount_points
from daas_hub.spawners.trial import trial_dir
from daas_hub.storage import AccountStorage
from tests.docker.engine import address, image
from tests.sandbox.layouts import HOLDS, LAYOUTS, LOOK, launch_on_squashed_storage

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("name", LAYOUTS)
async def test_container_runs_on_squashed_storage(name: str, reachable: Path, engine: docker.APIClient) -> None:
    near, container = Engine(Address(address(), ""), "layouts"), f"daas-{secrets.token_hex(10)}"
    mounts = PlacedMounts(reachable / "mounts" / container, near.address)
    with launch_on_squashed_storage(name, reachable, image("desktop")) as plan, trial_dir(plan, reachable) as folder:
        async with AccountStorage(plan.account) as storage:
            pinned = await storage.pin(plan.mounts)
            await storage.make_mount_points(pinned, mount_points(plan), (plan.account.uid, plan.account.gid))
            try:
                placed = await mounts.place(plan, pinned, storage, folder / "empty")
                assert placed, "root reaches it: nothing is squashed here"
                for closed in (reachable / "mounts", reachable / "mounts" / container):
                    assert stat.S_IMODE(closed.stat().st_mode) == 0o700, "other accounts get no further"
                files = LocalFiles(folder, folder / "api")
                body = create_body(plan, files, program="sh", labels={HUB_LABEL: "layouts"}, placed=placed)
                body["Cmd"] = ["sh", "-c", LOOK]
                await near.call(lambda client: client.containers.create(body, name=container))
                await near.start(container)
                await mounts.remove()
                await near.call(lambda client: client.containers.container(container).wait(), timeout_s=30)
                said = await near.output(container, tail=100)
            finally:
                for one in pinned:
                    one.close()
                await mounts.remove()
                await near.remove(container)
    assert all(one in said for one in HOLDS), said
    assert "data-written" not in said
    with open("/proc/self/mountinfo") as mounted:  # noqa: ASYNC230  # the kernel's own
        assert str(reachable / "mounts") not in mounted.read()


async def test_mounts_of_a_killed_hub_are_removed(reachable: Path, engine: docker.APIClient) -> None:
    """They are unmounted, and nothing of the storage is removed; those of a start that goes well are left alone."""
    near = Engine(Address(address(), ""), "layouts").address
    folder = reachable / "mounts"
    mounts = PlacedMounts(folder / "daas-1", near)
    with launch_on_squashed_storage("esrf", reachable, image("desktop")) as plan, trial_dir(plan, reachable) as session:
        async with AccountStorage(plan.account) as storage:
            pinned = await storage.pin(plan.mounts)
            await storage.make_mount_points(pinned, mount_points(plan), (plan.account.uid, plan.account.gid))
            await mounts.place(plan, pinned, storage, session / "empty")
            for one in pinned:
                one.close()
        before = sorted((reachable / "real").rglob("*"))
        await PlacedMounts.remove_unused(folder, near)
        assert [one.name for one in folder.iterdir()] == ["daas-1"]
        # another hub knows nothing of it
        PlacedMounts._in_use.clear()
        await PlacedMounts.remove_unused(folder, near)
        assert list(folder.iterdir()) == []
        assert sorted((reachable / "real").rglob("*")) == before
