"""The broker before the engine: what a hub does passes unchanged, and nothing else reaches the engine (AL31, DE03)."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiodocker import Docker, DockerError
from aiohttp import web

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.errors import SessionFailed
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.docker.container_spec import (
    HUB_LABEL,
    LAUNCH_LABEL,
    PLACE_LABEL,
    SESSION_LABEL,
    LocalFiles,
    create_body,
)
from daas_hub.spawners.docker.engine import Engine as DockerEngine
from daas_hub.spawners.docker.gpus import GPUS_LABEL, GPURequest
from daas_hub.spawners.docker.pulls import pull_image
from daas_hub.spawners.docker_broker.__main__ import Broker, arguments, require_out_of_reach
from daas_hub.spawners.docker_broker.api import MAX_BODY_BYTES
from daas_hub.spawners.docker_broker.policy import Forbidden, Rules, parse_strictly, require_session
from daas_hub.spawners.docker_broker.symlinks import require_no_links
from daas_hub.spawners.guest_layout import TEMPORARY_HOME_FILE

ANNA = Account("anna", 25001, 25002, (26001, 26002, 25002), {26001: "MA-4242"}, "Anna Lindqvist")
PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, command=("pymca",), image="daas-hub/pymca:0.1.0")
SMALL = Size("small", "2 processors", 4 * 2**30, 1.5, 1000, 12)
NAME = "daas-" + "0123456789" * 2
OURS, THEIRS = "a" * 64, "b" * 64
V = "/v1.44"

#: A temporary home, as the create call has it.
IN_MEMORY = "rw,nosuid,nodev,exec,mode=0700,uid=25001,gid=25002,size=2147483648"

Change = Callable[[dict[str, Any]], object]


@dataclass
class Facility:
    """A small facility on disk: data, homes, processed data, and the hub's own directory."""

    root: Path

    def make(self) -> Rules:
        """Make the directories; give the rules of its hub."""
        for name in ("data/visitor/MA-4242", "data/a b:c,d", "homes/anna", "processed/MA-4242", "tools", "secret"):
            (self.root / name).mkdir(parents=True)
        session = self.root / "run" / "sessions" / "k"
        for name in ("identity", "sockets", "empty"):
            (session / name).mkdir(parents=True)
        (self.root / "run" / "api").mkdir()
        for name in ("passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "localtime", TEMPORARY_HOME_FILE):
            (session / "identity" / name).write_text("")
        (self.root / "homes" / "link").symlink_to("/etc")
        (self.root / "data" / "link").symlink_to(self.root / "secret")
        (self.root / "homes" / "anna" / "deep").mkdir()
        return Rules(
            "ours",
            frozenset({"facility.example/tools/matlab:2"}),
            ("daas-hub/",),
            roots=(f"{self.root}/data", f"{self.root}/run", f"{self.root}/tools"),
            writable=(f"{self.root}/homes", f"{self.root}/processed"),
            may_pull=True,
            gpus=frozenset({"cdi:nvidia.com/gpu=0", "cdi:nvidia.com/gpu=1", "nvidia:GPU-0a1b", "other:*"}),
        )

    def body(self, change: Change | None = None, *data: str, temporary_home: bool = False) -> dict[str, Any]:
        """Return the create call of a launch, changed."""
        mounts = [] if temporary_home else [self._mount("homes/anna", ".", writable=True)]
        mounts += [self._mount(f"data/{name}", f"data/{name}") for name in data]
        if not data:
            mounts.append(self._mount("data/visitor/MA-4242", "data"))
        mounts.append(self._mount("processed/MA-4242", "processed", writable=True))
        body = create_body(
            Plan(ANNA, PYMCA, SMALL, tuple(mounts), "MA-4242", "Glass", 2, temporary_home=temporary_home),
            LocalFiles(self.root / "run" / "sessions" / "k", self.root / "run" / "api", (self.root / "tools",)),
            program="daas-session",
            labels={HUB_LABEL: "ours", SESSION_LABEL: NAME},
        )
        body = json.loads(json.dumps(body))
        if change is not None:
            change(body)
        return body

    def _mount(self, path: str, target: str, *, writable: bool = False) -> Mount:
        source = PurePosixPath(self.root / path)
        return Mount(source.parent, source, target, writable, writable)


@dataclass
class Engine:
    """Stands for an engine: remembers what reached it, and knows one container of ours and one of a stranger."""

    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    breaks: bool = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer anything."""
        self.calls.append((request.method, request.raw_path, await request.read()))
        path = request.path
        if path.endswith("/_ping"):
            return web.Response(text="OK")
        for name, key, label in ((NAME, OURS, "ours"), ("stranger", THEIRS, "theirs")):
            if path in (f"{V}/containers/{name}/json", f"{V}/containers/{key}/json"):
                found = {
                    "Id": key, "Config": {"Labels": {HUB_LABEL: label}, "Tty": False}, "Mounts": self.mounts,
                }  # fmt: skip
                return web.json_response(found)
        if "/containers/nobody" in path:
            return web.json_response({"message": "No such container: nobody"}, status=404)
        if path.endswith("/version"):
            return web.json_response({"ApiVersion": "1.45"})
        if path.endswith("/info"):
            return web.json_response({"SecurityOptions": ["name=seccomp,profile=builtin"], "Swarm": {"secret": 1}})
        if path.endswith("/events") or path.endswith("/images/create"):
            stream = web.StreamResponse()
            await stream.prepare(request)
            for number in range(3):
                await stream.write(json.dumps({"status": str(number)}).encode() + b"\n")
                await asyncio.sleep(0.01)
            if self.breaks and request.transport is not None:
                request.transport.abort()
            return stream
        if path.endswith("/containers/create"):
            return web.json_response({"Id": OURS}, status=201)
        if path.endswith("/containers/json"):
            return web.json_response([])
        if path.endswith(("/start", "/stop", "/kill", "/unpause")) or request.method == "DELETE":
            return web.Response(status=204)
        if path.endswith("/logs"):
            return web.Response(body=b"\1\0\0\0\0\0\0\3bye")
        return web.json_response({})

    def asked(self) -> list[str]:
        """Return the calls in short, without the questions whose container it is."""
        short = [f"{method} {path}" for method, path, _ in self.calls]
        return [one for one in short if not (one.startswith("GET") and one.endswith(f"{OURS}/json"))]


@dataclass
class Scene:
    """An engine, a broker before it, and how to talk to that."""

    engine: Engine
    facility: Facility
    socket: Path
    broker: Broker

    @property
    def hub(self) -> DockerEngine:
        """The engine as the hub has it, behind the broker."""
        return DockerEngine(Address(f"unix://{self.socket}"), "ours")

    async def on_container(self, method: str, name: str = NAME, **options: Any) -> Any:
        """Call a method of the client's container, as the hub does."""
        return await self.hub.call(lambda docker: getattr(docker.containers.container(name), method)(**options))

    async def raw(self, text: bytes) -> tuple[int, str]:
        """Send bytes; give the status and the text of the answer, (0, "") for a closed connection."""
        reader, writer = await asyncio.open_unix_connection(self.socket)
        writer.write(text)
        try:
            said = await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            said = b""
        finally:
            await hang_up(writer)
        head, _, body = said.partition(b"\r\n\r\n")
        return (int(head.split()[1]) if head else 0), body.decode(errors="replace")

    async def ask(self, method: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, str]:
        """Send one well-formed request."""
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n{kind}{headers}"
        return await self.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def create(self, body: Any, name: str = NAME) -> tuple[int, str]:
        """Ask for a container."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("POST", f"{V}/containers/create?name={name}", text)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever the other side did."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short name, for sockets."""
    path = Path(tempfile.mkdtemp(prefix="broker-"))
    yield path
    shutil.rmtree(path)


@pytest_asyncio.fixture
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """A running broker."""
    facility, engine = Facility(folder / "storage"), Engine()
    facility.root.mkdir()
    behind = web.ServerRunner(web.Server(engine.answer))
    await behind.setup()
    await web.UnixSite(behind, folder / "docker.sock").start()
    before = Broker(facility.make(), str(folder / "docker.sock"))
    runner = await before.serve(folder / "engine.sock")
    try:
        yield Scene(engine, facility, folder / "engine.sock", before)
    finally:
        await before.close(runner)
        await behind.cleanup()


# -- what a hub does ---------------------------------------------------------------------------------------------------


async def test_what_the_spawner_asks_for_passes_unchanged(scene: Scene) -> None:
    """DE03: the real create call of a launch arrives at the engine as it was."""
    body = scene.facility.body()
    assert (await scene.hub.call(lambda docker: docker.containers.create(body, name=NAME))).id == OURS
    (method, path, sent) = scene.engine.calls[0]
    assert (method, path) == ("POST", f"{V}/containers/create?name={NAME}")
    assert json.loads(sent) == body


async def test_several_directories_with_hostile_names_pass(scene: Scene) -> None:
    body = scene.facility.body(None, "visitor", "a b:c,d")
    await scene.hub.call(lambda docker: docker.containers.create(body, name=NAME))
    assert json.loads(scene.engine.calls[0][2]) == body


async def test_a_temporary_home_passes(scene: Scene) -> None:
    """In memory, and with options of ours alone."""
    body = scene.facility.body(temporary_home=True)
    options = body["HostConfig"]["Tmpfs"]["/home/anna"]
    status, said = await scene.create(body)
    assert status == 201, said
    for other in (options.replace("nosuid", "suid"), f"{options},mpol=local", "", "rw"):
        body["HostConfig"]["Tmpfs"]["/home/anna"] = other
        status, said = await scene.create(body)
        assert status == 403, (other, said)


async def test_the_facilitys_own_paths_pass(scene: Scene) -> None:
    for target in ("{root}/data/visitor", "/gpfs/visitor/v"):
        status, said = await scene.create(scene.facility.body(one_more("{root}/data/visitor", target=target)))
        assert status == 201, said


async def test_the_name_of_a_place_passes(scene: Scene) -> None:
    status, said = await scene.create(
        scene.facility.body(lambda body: body["Labels"].update({PLACE_LABEL: "large-nodes", LAUNCH_LABEL: "0c1f22aa"}))
    )
    assert status == 201, said


@pytest.mark.parametrize(
    "request_",
    [
        GPURequest("cdi", 1, ("nvidia.com/gpu=1",)),
        GPURequest("cdi", 2, ("nvidia.com/gpu=0", "nvidia.com/gpu=1")),
        GPURequest("nvidia", 1, ("GPU-0a1b",)),
        GPURequest("other", 2),
    ],
    ids=["one CDI device", "two CDI devices", "a device by its UUID", "two that the driver chooses"],
)
async def test_the_hubs_own_gpus_pass(scene: Scene, request_: GPURequest) -> None:
    def change(body: dict[str, Any]) -> None:
        body["HostConfig"]["DeviceRequests"] = [request_.as_document()]
        body["Labels"] |= request_.labels

    body = scene.facility.body(change)
    assert (await scene.create(body))[0] == 201
    assert json.loads(scene.engine.calls[-1][2]) == body


async def test_a_hub_without_gpus_gets_none(scene: Scene) -> None:
    scene.broker.calls.rules = replace(scene.broker.calls.rules, gpus=frozenset())
    status, said = await scene.create(scene.facility.body(gpus("cdi", "nvidia.com/gpu=0")))
    assert (status, scene.engine.calls) == (403, [])
    assert "cdi:nvidia.com/gpu=0 is not one of this hub's" in said


async def test_the_golden_call_passes(scene: Scene) -> None:
    """The file that says what a session may do (create.json) is what the broker lets through."""
    body = json.loads((Path(__file__).parents[1] / "docker" / "create.json").read_text())
    body["Labels"] = {HUB_LABEL: "ours", SESSION_LABEL: NAME}
    roots = ("/run/daas-hub", "/opt/tools", "/data/visitor")
    images, writable = ("localhost/daas-hub/",), ("/gpfs/homes", "/data/processed")
    rules = Rules("ours", image_prefixes=images, roots=roots, writable=writable)
    assert len(require_session(body, rules, NAME)) == len(body["HostConfig"]["Mounts"])


async def test_the_hubs_other_calls_pass(scene: Scene) -> None:
    """DE03: every call of the engine's client in spawners/, with the library's own parameters."""
    hub = scene.hub
    await hub.require_able()
    await hub.image("daas-hub/pymca:0.1.0")
    await hub.image(f"daas-hub/pymca@sha256:{'0' * 64}")
    await hub.image("facility.example/tools/matlab:2")
    found = await hub.inspect(NAME)
    assert found is not None
    assert found["Id"] == OURS
    await hub.start(NAME)
    await scene.on_container("stop", t=4)
    await scene.on_container("kill", signal="SIGKILL")
    await scene.on_container("unpause", OURS)
    await scene.on_container("wait")
    assert await hub.output(NAME, tail=40) == "bye"
    await hub.remove(NAME)
    asked = scene.engine.asked()
    for call in (
        "GET /version",
        f"GET {V}/info",
        f"GET {V}/images/daas-hub/pymca@sha256:{'0' * 64}/json",
        f"POST {V}/containers/{OURS}/start",
        f"POST {V}/containers/{OURS}/stop?t=4",
        f"POST {V}/containers/{OURS}/kill?signal=SIGKILL",
        f"POST {V}/containers/{OURS}/unpause",
        f"POST {V}/containers/{OURS}/wait",
        f"GET {V}/containers/{OURS}/logs?stdout=1&stderr=1&timestamps=0&tail=40",
        f"DELETE {V}/containers/{OURS}?v=1&force=1",
    ):
        assert call in asked, asked


async def test_an_escaped_digest_passes(scene: Scene) -> None:
    """docker-py and Docker's own client write it so."""
    path = f"{V}/images/daas-hub/pymca%40sha256:{'0' * 64}/json"
    assert (await scene.ask("GET", path))[0] == 200
    assert scene.engine.asked() == [f"GET {path}"]


async def test_listing_and_news_are_of_this_hub_whatever_is_asked(scene: Scene) -> None:
    mine = quote(json.dumps({"label": [f"{HUB_LABEL}=ours"]}), safe="").replace("%20", "+")
    theirs = {"label": [f"{HUB_LABEL}=theirs"]}
    await scene.hub.call(lambda docker: docker.containers.list(all=True, filters=theirs))
    await scene.hub.call(lambda docker: docker.containers.list(all=True))
    assert scene.engine.asked() == [f"GET {V}/containers/json?all=1&filters={mine}"] * 2
    scene.engine.calls.clear()
    status, news = await scene.ask("GET", f"{V}/events?filters={quote(json.dumps({'type': ['volume']}))}")
    assert status == 200
    assert [f'{{"status": "{number}"}}' in news for number in range(3)] == [True] * 3
    (call,) = scene.engine.asked()
    assert "ours" in call
    assert "volume" not in call


async def test_events_reach_the_hub(scene: Scene) -> None:
    """The stream that the hub opens is the one that may pass."""
    scene.hub.listen(NAME, lambda action: None)
    async with asyncio.timeout(30):
        while not any("/events?" in call for call in scene.engine.asked()):  # noqa: ASYNC110  # it asks by itself
            await asyncio.sleep(0.02)


async def test_pull_is_streamed_and_names_one_image(scene: Scene) -> None:
    async def pull(docker: Docker) -> list[dict[str, Any]]:
        return [line async for line in pull_image(docker, "daas-hub/pymca:0.1.0")]

    assert len(await scene.hub.call(pull)) == 3
    assert scene.engine.asked() == [f"POST {V}/images/create?fromImage=daas-hub%2Fpymca&tag=0.1.0"]


async def test_a_hub_may_be_forbidden_to_fetch_images(scene: Scene) -> None:
    scene.broker.calls.rules = replace(scene.broker.calls.rules, may_pull=False)
    with pytest.raises(SessionFailed) as problem:
        await scene.hub.pulls.wait_for("daas-hub/pymca:0.1.0", lambda text: None)
    assert "may not pull images" in str(problem.value.__notes__)
    assert scene.engine.calls == []


async def test_a_stream_that_breaks_does_not_look_ended(scene: Scene) -> None:
    """The last piece of a whole stream is an empty one; of a broken one it must not come."""
    whole = await scene.ask("GET", f"{V}/events")
    scene.engine.breaks = True
    broken = await scene.ask("GET", f"{V}/events")
    assert whole[1].endswith("0\r\n\r\n")
    assert not broken[1].endswith("0\r\n\r\n")


async def test_a_directory_that_does_not_answer_blocks_nobody(scene: Scene) -> None:
    released = threading.Event()
    scene.broker.calls.require_no_links = partial(require_no_links, timeout_s=0.2, check=lambda *_: released.wait(10))
    try:
        status, said = await scene.create(scene.facility.body())
        assert (status, scene.engine.calls) == (500, []), said
        assert "does not answer" in said
    finally:
        released.set()


async def test_an_engine_that_is_away_is_reported_as_away(scene: Scene) -> None:
    """The hub takes 503 for "nothing is known", not for the end of a session."""
    (scene.socket.parent / "docker.sock").unlink()
    status, body = await scene.ask("GET", f"{V}/containers/{NAME}/json")
    assert status == 503
    assert "does not answer" in body


async def test_the_socket_is_its_owners(scene: Scene) -> None:
    assert scene.socket.stat().st_mode & 0o777 == 0o600


async def test_a_missing_container_and_directory_are_reported_in_the_engines_words(scene: Scene) -> None:
    assert await scene.hub.inspect("nobody") is None
    (scene.facility.root / "processed" / "MA-4242").rmdir()
    with pytest.raises(DockerError) as refusal:
        await scene.hub.call(lambda docker: docker.containers.create(scene.facility.body(), name=NAME))
    # exactly so: the hub looks for it
    assert f"path does not exist: {scene.facility.root}/processed/MA-4242" in refusal.value.message


# -- what a hub that was taken over would try -------------------------------------------------------------------------


def host(name: str, value: Any) -> Change:
    return lambda body: body["HostConfig"].__setitem__(name, value)


def top(name: str, value: Any) -> Change:
    return lambda body: body.__setitem__(name, value)


def without(name: str) -> Change:
    return lambda body: body["HostConfig"].pop(name)


def last_mount(**changes: Any) -> Change:
    def change(body: dict[str, Any]) -> None:
        body["HostConfig"]["Mounts"][-1].update(changes)

    return change


def one_more(source: str, *, target: str = "/home/anna/more", writable: bool = False, **more: Any) -> Change:
    """Mount one more directory; `{root}` is the facility's."""

    def change(body: dict[str, Any]) -> None:
        root = next(one["Source"] for one in body["HostConfig"]["Mounts"]).partition("/run/")[0]
        options: dict[str, Any] = {"Propagation": "rprivate"} | ({} if writable else {"ReadOnlyForceRecursive": True})
        mount = {"Type": "bind", "Source": source.replace("{root}", root), "ReadOnly": not writable}
        mount["Target"] = target.replace("{root}", root)
        body["HostConfig"]["Mounts"].append(mount | {"BindOptions": options | more})

    return change


def gpus(driver: str, *devices: str, count: int = 0, label: str = "", **more: Any) -> Change:
    """Ask for devices, with the label that belongs to them."""

    def change(body: dict[str, Any]) -> None:
        request = GPURequest(driver, count, devices).as_document()
        body["HostConfig"]["DeviceRequests"] = [request | {"Count": count} | more]
        body["Labels"][GPUS_LABEL] = label or ",".join(devices)

    return change


NVIDIA_0 = GPURequest("cdi", 1, ("nvidia.com/gpu=0",)).as_document()

HOSTILE: dict[str, Change] = {
    "privileged": host("Privileged", True),
    "privileged as a number": host("Privileged", 1),
    "not privileged as a number": host("Privileged", 0),
    "host network": host("NetworkMode", "host"),
    "a stranger's network": host("NetworkMode", "container:stranger"),
    "host pid": host("PidMode", "host"),
    "host ipc": host("IpcMode", "host"),
    "host uts": host("UTSMode", "host"),
    "host cgroup": host("CgroupnsMode", "host"),
    "host users": host("UsernsMode", "host"),
    "parent cgroup": host("CgroupParent", "/"),
    "a capability": host("CapAdd", ["SYS_ADMIN"]),
    "no capability added": host("CapAdd", []),
    "all capabilities": host("CapDrop", []),
    "capabilities kept": without("CapDrop"),
    "no seccomp": host("SecurityOpt", ["no-new-privileges:true", "seccomp=unconfined"]),
    "no apparmor": host("SecurityOpt", ["apparmor=unconfined"]),
    "new privileges": host("SecurityOpt", []),
    "writable root": host("ReadonlyRootfs", False),
    "unmasked": host("MaskedPaths", []),
    "writable proc": host("ReadonlyPaths", []),
    "binds": host("Binds", ["/:/host"]),
    "a device": host(
        "Devices", [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}]
    ),
    "device rules": host("DeviceCgroupRules", ["a *:* rwm"]),
    "a graphics card": host("DeviceRequests", [{"Count": -1}]),
    "every GPU": gpus("nvidia", count=-1),
    "every GPU by a word": gpus("nvidia", "all"),
    "every CDI device": gpus("cdi", "nvidia.com/gpu=all"),
    "another GPU": gpus("cdi", "nvidia.com/gpu=2"),
    "one of ours and another": gpus("cdi", "nvidia.com/gpu=0", "nvidia.com/gpu=2"),
    "a GPU twice": gpus("cdi", "nvidia.com/gpu=0", "nvidia.com/gpu=0"),
    "another vendor's device": gpus("cdi", "example.org/disk=0"),
    "a GPU in other letters": gpus("cdi", "NVIDIA.com/gpu=0"),
    "a GPU by another driver": gpus("nvidia", "nvidia.com/gpu=0"),
    "a GPU by no driver": gpus("", "GPU-0a1b"),
    "a number of a driver's GPUs that are named": gpus("nvidia", count=1),
    "none of a driver's GPUs": gpus("other", count=0),
    "a name where the driver chooses": gpus("other", "0"),
    "the driver's word for any": gpus("other", "*"),
    "the number and the name": gpus("cdi", "nvidia.com/gpu=0", count=1),
    "a GPU with other capabilities": gpus("nvidia", "GPU-0a1b", Capabilities=[["gpu", "compat32", "display"]]),
    "a CDI device with capabilities": gpus("cdi", "nvidia.com/gpu=0", Capabilities=[["gpu"]]),
    "a GPU with options": gpus("nvidia", "GPU-0a1b", Options={"visible": "all"}),
    "a GPU with one field more": gpus("nvidia", "GPU-0a1b", Xyz=1),
    "a GPU with a NUL": gpus("cdi", "nvidia.com/gpu=0\0"),
    "two requests": lambda body: body["HostConfig"].__setitem__("DeviceRequests", [NVIDIA_0, NVIDIA_0]),
    "a GPU without its label": lambda body: body["HostConfig"].__setitem__("DeviceRequests", [NVIDIA_0]),
    "a GPU with another's label": gpus("cdi", "nvidia.com/gpu=0", label="nvidia.com/gpu=1"),
    "the label of a GPU it has not": lambda body: body["Labels"].__setitem__(GPUS_LABEL, "nvidia.com/gpu=0"),
    "a runtime": host("Runtime", "other"),
    "kernel settings": host("Sysctls", {"kernel.core_pattern": "|/x"}),
    "volumes of another": host("VolumesFrom", ["stranger"]),
    "a published port": host("PortBindings", {"22/tcp": [{"HostPort": "22"}]}),
    "another log": host("LogConfig", {"Type": "syslog", "Config": {"syslog-address": "tcp://elsewhere"}}),
    "always restarted": host("RestartPolicy", {"Name": "always"}),
    "memory without end": host("Memory", 0),
    "swap": host("MemorySwap", -1),
    "memory as text": host("Memory", "1"),
    "processes without end": host("PidsLimit", -1),
    "the killer spares it": host("OomScoreAdj", -1000),
    "killer off": host("OomKillDisable", True),
    "tmpfs elsewhere": host("Tmpfs", {"/etc": "rw"}),
    "tmpfs at another home": lambda body: body["HostConfig"]["Tmpfs"].__setitem__("/home/ben", IN_MEMORY),
    "tmpfs at the home, and the home": lambda body: body["HostConfig"]["Tmpfs"].__setitem__("/home/anna", IN_MEMORY),
    "two homes in memory": lambda body: body["HostConfig"]["Tmpfs"].update(
        dict.fromkeys(("/home/b", "/home/c"), IN_MEMORY)
    ),
    "tmpfs with options": lambda body: body["HostConfig"]["Tmpfs"].__setitem__("/tmp", "rw,suid,exec,size=1"),
    "root's group": host("GroupAdd", ["0"]),
    "docker's group": host("GroupAdd", ["998"]),
    "a group by name": host("GroupAdd", ["docker"]),
    "an unknown field": top("Xyz", 1),
    "a field in other letters": lambda body: body["HostConfig"].__setitem__("privileged", True),
    "a second host record in other letters": top("hostconfig", {"Privileged": True}),
    "an unknown field of the host": host("Xyz", None),
    "volumes": top("Volumes", {"/v": {}}),
    "networks": top("NetworkingConfig", {"EndpointsConfig": {"bridge": {}}}),
    "root": top("User", "0:0"),
    "root by name": top("User", "root"),
    "root by nothing": top("User", ""),
    "root's group as group": top("User", "25001:0"),
    "root by leading zeros": top("User", "00:00"),
    "below the lowest": top("User", "999:25002"),
    "root beyond 32 bits": top("User", "4294967296:4294967296"),
    "user without group": top("User", "25001"),
    "a tty": top("Tty", True),
    "another program": top("Cmd", ["sh", "-c", "id"]),
    "another entry point": top("Entrypoint", ["/bin/sh"]),
    "a health check": top("Healthcheck", {"Test": ["CMD-SHELL", "id"]}),
    "more environment": lambda body: body["Env"].append("LD_PRELOAD=/x"),
    "another environment": lambda body: body["Env"].__setitem__(0, "PATH=/x"),
    "a stranger's image": top("Image", "evil:1"),
    "an image without tag": top("Image", "daas-hub/pymca"),
    "an image by its id": top("Image", "sha256:" + "0" * 64),
    "an image that begins alike": top("Image", "daas-hubris/pymca:1"),
    "an image with a path": top("Image", "daas-hub/../evil:1"),
    "the name of another hub": lambda body: body["Labels"].__setitem__(HUB_LABEL, "theirs"),
    "no label": top("Labels", {}),
    "one more label": lambda body: body["Labels"].__setitem__("x", "y"),
    "an invalid reference of a launch": lambda body: body["Labels"].__setitem__(LAUNCH_LABEL, "0c1f22aa/x"),
    "an invalid name of a place": lambda body: body["Labels"].__setitem__(PLACE_LABEL, "../x"),
    "another session's label": lambda body: body["Labels"].__setitem__(SESSION_LABEL, "daas-" + "f" * 20),
    "a home elsewhere": top("WorkingDir", "/etc"),
    "a home with dots": top("WorkingDir", "/home/.."),
    "the machine": one_more("/"),
    "etc": one_more("/etc"),
    "the engine": one_more("/var/run/docker.sock"),
    "dots": one_more("{root}/data/../secret"),
    "dots that stay": one_more("{root}/data/../data"),
    "two slashes": one_more("//etc"),
    "two slashes within": one_more("{root}/data//visitor"),
    "a slash at the end": one_more("{root}/data/"),
    "a path that is none": one_more("data"),
    "a NUL": one_more("{root}/data/visitor\0/x"),
    "half a character": one_more("{root}/data/\ud800"),
    "beside a root": one_more("{root}/data-more"),
    "above a root": one_more("{root}"),
    "raw data writable": one_more("{root}/data/visitor", writable=True),
    "all homes writable": one_more("{root}/homes", writable=True),
    "the hub's directory writable": one_more("{root}/run/api", writable=True),
    "a link in the data": one_more("{root}/data/link"),
    "a link among the homes": one_more("{root}/homes/link", writable=True),
    "below a link": one_more("{root}/homes/link/ssh", writable=True),
    "onto etc": one_more("{root}/data/visitor", target="/etc"),
    "onto a file of etc": one_more("{root}/data/visitor", target="/etc/shadow"),
    "onto a program": one_more("{root}/data/visitor", target="/usr/bin"),
    "onto the home by dots": one_more("{root}/data/visitor", target="/home/anna/../../etc"),
    "onto a neighbour": one_more("{root}/data/visitor", target="/home/ben"),
    "onto the session's programs": one_more("{root}/data/visitor", target="/opt/daas-hub"),
    "onto all of /opt": one_more("{root}/data/visitor", target="/opt"),
    "onto the root": one_more("{root}/data/visitor", target="/"),
    "above the home": one_more("{root}/data/visitor", target="/home"),
    "outside by dots": one_more("{root}/data/visitor", target="/data/../etc"),
    "onto the session's sockets": one_more("{root}/data/visitor", target="/run/other"),
    "raw data writable at its own path": one_more("{root}/data/visitor", target="{root}/data/visitor", writable=True),
    "a target twice": one_more("{root}/data/visitor", target="/home/anna"),
    "propagated": one_more("{root}/data/visitor", Propagation="rshared"),
    "made by the engine": one_more("{root}/data/visitor", CreateMountpoint=True),
    "a volume as mount": last_mount(Type="volume"),
    "volume options": last_mount(VolumeOptions={"DriverConfig": {"Name": "local", "Options": {"type": "none"}}}),
    "an image as mount": last_mount(Type="image"),
    "a pipe as mount": last_mount(Type="npipe"),
    "a source that is no text": last_mount(Source=["/"]),
    "read-only at the top only": one_more("{root}/data/visitor", ReadOnlyForceRecursive=False),
    "mounts without end": host("Mounts", [{}] * 300),
    "a host record that is a list": top("HostConfig", []),
    "no host record": lambda body: body.pop("HostConfig"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_container_is_refused(scene: Scene, what: str) -> None:
    """AL31: none of them reaches the engine, and the answer says which field."""
    status, said = await scene.create(scene.facility.body(HOSTILE[what]))
    assert (status, scene.engine.calls) == (403, []), said
    assert "refuses" in said


def test_the_table_changes_something(folder: Path) -> None:
    """The guard is guarded: every line of the table is another body than the good one."""
    facility = Facility(folder)
    facility.make()
    # as text: for Python 0 is False
    good = json.dumps(facility.body())
    assert [what for what, change in HOSTILE.items() if json.dumps(facility.body(change)) == good] == []


async def test_every_field_is_needed_and_has_one_type(scene: Scene) -> None:
    """Whatever field is left out or made null, anywhere: refused."""

    def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, one in pairs:
            yield (*path, key)
            yield from places(one, (*path, key))

    good = scene.facility.body()
    rules = Rules("ours", image_prefixes=("daas-hub/",), roots=(str(scene.facility.root),))
    passed = []
    for *path, last in places(good):
        body = copy.deepcopy(good)
        place = body
        for key in path:
            place = place[key]
        place[last] = None
        try:
            require_session(body, rules, NAME)
        except Forbidden:
            continue
        passed.append((*path, last))
    assert passed == []


TEXTS = {
    "a field twice": lambda text: text.replace('"Privileged": false', '"Privileged": false, "Privileged": true'),
    "a record twice": lambda text: text[:-1] + ', "HostConfig": {"Privileged": true}}',
    "two documents": lambda text: text + text,
    "no number": lambda text: text.replace('"OomScoreAdj": 200', '"OomScoreAdj": NaN'),
    "a number without end": lambda text: text.replace('"OomScoreAdj": 200', f'"OomScoreAdj": {"9" * 5000}'),
    "a comment": lambda text: "/* */" + text,
    "nothing": lambda text: "",
    "a list": lambda text: f"[{text}]",
    "a tower": lambda text: "[" * 200_000,
    "a tower that ends": lambda text: "[" * 100_000 + "]" * 100_000,
}


@pytest.mark.parametrize("what", TEXTS)
async def test_what_two_readers_could_read_in_two_ways_is_refused(scene: Scene, what: str) -> None:
    status, said = await scene.create(TEXTS[what](json.dumps(scene.facility.body())).encode())
    assert (status, scene.engine.calls) == (403, []), said


@pytest.mark.parametrize("code", ["utf-16", "utf-8-sig", "latin-1"])
async def test_other_codes_than_utf8_are_refused(scene: Scene, code: str) -> None:
    text = json.dumps(scene.facility.body(one_more("{root}/data/é")), ensure_ascii=False)
    status, _ = await scene.create(text.encode(code))
    assert (status, scene.engine.calls) == (403, [])


async def test_large_body_is_refused(scene: Scene) -> None:
    body = b'{"Image": "' + b"x" * (2 * MAX_BODY_BYTES) + b'"}'
    head = f"POST {V}/containers/create?name={NAME} HTTP/1.1\r\nHost: e\r\nContent-Type: application/json\r\n"
    status, _ = await scene.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:1000])
    assert (status, scene.engine.calls) == (413, [])


CALLS = [
    *((method, f"{V}{path}") for method, path in [
        ("POST", f"/containers/{NAME}/exec"), ("POST", f"/containers/{NAME}/attach"),
        ("GET", f"/containers/{NAME}/attach/ws"), ("GET", f"/containers/{NAME}/archive?path=/"),
        ("PUT", f"/containers/{NAME}/archive?path=/"), ("HEAD", f"/containers/{NAME}/archive?path=/"),
        ("GET", f"/containers/{NAME}/export"), ("GET", f"/containers/{NAME}/top"),
        ("GET", f"/containers/{NAME}/changes"),
        ("GET", f"/containers/{NAME}/stats"), ("POST", f"/containers/{NAME}/update"),
        ("POST", f"/containers/{NAME}/rename?name=x"), ("POST", f"/containers/{NAME}/restart"),
        ("POST", f"/containers/{NAME}/pause"), ("POST", f"/containers/{NAME}/resize?h=1&w=1"),
        ("POST", "/containers/prune"), ("POST", f"/commit?container={NAME}"), ("POST", "/build"),
        ("POST", "/build/prune"),
        ("POST", "/exec/x/start"), ("GET", "/exec/x/json"), ("POST", "/session"), ("POST", "/grpc"),
        ("GET", "/plugins"), ("POST", "/plugins/pull?remote=x"), ("POST", "/swarm/init"), ("GET", "/swarm"),
        ("GET", "/nodes"), ("GET", "/services"), ("GET", "/tasks"), ("GET", "/secrets"), ("POST", "/secrets/create"),
        ("GET", "/configs"), ("GET", "/volumes"), ("POST", "/volumes/create"), ("DELETE", "/volumes/x"),
        ("GET", "/networks"), ("POST", "/networks/create"), ("POST", "/networks/bridge/connect"),
        ("GET", "/images/json"), ("POST", "/images/load"), ("GET", "/images/get?names=x"), ("POST", "/images/prune"),
        ("POST", "/images/daas-hub/pymca:0.1.0/push"), ("POST", "/images/daas-hub/pymca:0.1.0/tag?repo=x"),
        ("DELETE", "/images/daas-hub/pymca:0.1.0"), ("GET", "/images/daas-hub/pymca:0.1.0/history"),
        ("GET", "/images/daas-hub/pymca:0.1.0/get"), ("GET", "/images/evil:1/json"), ("GET", "/images/search?term=x"),
        ("POST", "/auth"), ("GET", "/system/df"), ("GET", "/distribution/x/json"), ("GET", "/"), ("OPTIONS", "/info"),
        ("POST", "/images/create?fromImage=evil&tag=1"), ("POST", "/images/create?fromImage=daas-hub/pymca"),
        ("POST", "/images/create?fromSrc=http://x/y.tar&repo=daas-hub/pymca&tag=1"),
        ("POST", "/images/create?fromSrc=-"), ("POST", "/images/create?fromImage=daas-hub/pymca&tag=1&platform=x"),
        ("POST", "/images/create?fromImage=daas-hub/pymca:1@sha256&tag=1"),
        ("POST", "/images/create?fromImage=daas-hub/pymca&tag=1&fromImage=evil"),
        ("POST", "/images/create?fromImage=daas-hub/pymca&tag=1;fromImage=evil"),
        ("GET", f"/containers/{NAME}/logs?follow=1"), ("GET", f"/containers/{NAME}/logs?follow=0&follow=1"),
        ("GET", f"/containers/{NAME}/json?size=1"), ("POST", f"/containers/{NAME}/start?checkpoint=x"),
        ("POST", f"/containers/{NAME}/start?detachKeys=x"), ("DELETE", f"/containers/{NAME}?link=1"),
        ("POST", f"/containers/{NAME}/kill?signal=%0a"), ("POST", "/containers/create"),
        ("POST", "/containers/create?name=stranger"), ("POST", f"/containers/create?name={NAME}&platform=x"),
        ("GET", "/containers/../info"), ("GET", f"/containers/{NAME}/../../info"), ("GET", "/containers/%2e%2e/info"),
        ("GET", f"/containers/{NAME}%2f..%2f..%2finfo/json"), ("POST", "/containers/x%2Fy/start"),
        ("GET", "//info"), ("GET", "/./info"), ("GET", "/info/"), ("GET", "/info#x"), ("GET", "/INFO"),
        ("GET", "/images/../containers/stranger/json"), ("GET", "/images/daas-hub/../../containers/stranger/json"),
        ("GET", "/images/daas-hub%2Fpymca:0.1.0/json"), ("GET", "/containers/json/../stranger/json"),
    ]),
    ("GET", "/info"), ("GET", "/v1.24/info"), ("GET", "/v1.44.0/info"), ("GET", "/v9.99/containers/json"),
    ("GET", "/containers/json"), ("GET", "/v1.44/v1.44/info"), ("GET", "/v1.44/../info"), ("GET", "http://x/v1.44/info"),
    ("CONNECT", "x:80"), ("OPTIONS", "*"), ("TRACE", "/version"), ("GET", "/metrics"), ("GET", "/debug/pprof/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_other_calls_are_refused(scene: Scene, method: str, path: str) -> None:
    """AL31: exec, attach, archives, builds, volumes, networks, plugins, other versions, tricks with paths."""
    status, said = await scene.ask(method, path)
    assert scene.engine.calls == [], said
    assert status in (400, 403, 404, 405), said


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/json"), ("GET", "/logs?stdout=1"), ("POST", "/start"), ("POST", "/stop?t=0"), ("POST", "/kill"),
        ("POST", "/unpause"), ("POST", "/wait"), ("DELETE", "?force=1"), ("POST", "/exec"), ("POST", "/attach"),
    ],
)  # fmt: skip
async def test_a_strangers_container_is_left_alone(scene: Scene, method: str, path: str) -> None:
    """By name or by id: the engine is asked whose it is, and nothing else."""
    for who in ("stranger", THEIRS):
        status, said = await scene.ask(method, f"{V}/containers/{who}{path}")
        assert status == 403, said
        assert all(call == f"GET {V}/containers/{who}/json" for call in scene.engine.asked())
        scene.engine.calls.clear()


async def test_a_link_that_came_later_is_seen_at_the_start(scene: Scene) -> None:
    """Between creation and start a home is exchanged for a link to the machine."""
    homes = scene.facility.root / "homes"
    scene.engine.mounts = [{"Type": "bind", "Source": f"{homes}/anna", "RW": True}]
    assert (await scene.ask("POST", f"{V}/containers/{NAME}/start"))[0] == 204
    (homes / "anna" / "deep").rmdir()
    (homes / "anna").rmdir()
    (homes / "anna").symlink_to("/")
    scene.engine.calls.clear()
    assert (await scene.ask("POST", f"{V}/containers/{NAME}/start"))[0] == 403
    assert [call for call in scene.engine.asked() if not call.startswith("GET")] == []


SMUGGLED = {
    "chunked": "POST {create} HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths": "POST {create} HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    "0\r\n\r\nGET /v1.44/info HTTP/1.1\r\nHost: e\r\n\r\n",
    "two lengths": "POST {create} HTTP/1.1\r\nHost: e\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "a length that is none": "POST {create} HTTP/1.1\r\nHost: e\r\nContent-Length: +5\r\n\r\nxxxxx",
    "a blank before the colon": "POST {create} HTTP/1.1\r\nHost: e\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": "GET /v1.44/info HTTP/1.1\r\nHost: e\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n",
    "an upgrade": "GET /v1.44/info HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    "http 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a body where none belongs": "POST {start} HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\n\r\n{{}}",
    "a body of a question": "GET /v1.44/info HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\n\r\n{{}}",
    "expectations": "POST {create} HTTP/1.1\r\nHost: e\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{{}}",
    "packed": "POST {create} HTTP/1.1\r\nHost: e\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{{}}",
    "another kind": "POST {create} HTTP/1.1\r\nHost: e\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}",
    "a line feed in the path": "GET /v1.44/info\nX: y HTTP/1.1\r\nHost: e\r\n\r\n",
    "a long address": "GET /v1.44/containers/json?filters={long} HTTP/1.1\r\nHost: e\r\n\r\n",
}


@pytest.mark.parametrize("what", SMUGGLED)
async def test_requests_that_hide_another_are_refused(scene: Scene, what: str) -> None:
    text = SMUGGLED[what].format(
        create=f"{V}/containers/create?name={NAME}", start=f"{V}/containers/{NAME}/start", long="x" * 5000
    )
    reader, writer = await asyncio.open_unix_connection(scene.socket)
    writer.write(text.encode())
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n")
    # what is hidden would come now
    await asyncio.sleep(0.1)
    await hang_up(writer)
    assert scene.engine.calls == [], head
    assert int(head.split()[1]) >= 400, head


# -- the program ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        ["--root=/"], ["--root=relative"], ["--root=/a/../b"], ["--writable=/"], ["--writable=//x"],
        ["--image-prefix=daas-hub"], ["--image-prefix="], ["--hub="], ["--hub=a b"], ["--min-id=0"],
        ["--gpu=nvidia"], ["--gpu=cdi:*"], ["--gpu=:0"], ["--gpu=cdi:all"], ["--gpu=*:*"], ["--gpu=nvidia:"],
        ["--engine=tcp://host:2375"], ["--root=/var/run"], ["--writable=/var"], ["--root=/tmp"],
    ],
)  # fmt: skip
def test_rules_that_allow_everything_are_refused(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--listen=/tmp/broker/engine.sock", "--hub=ours", "--engine=unix:///var/run/docker.sock", *more]
    with pytest.raises(SystemExit):
        arguments(given)
    assert "error" in capsys.readouterr().err


def test_sockets_are_out_of_reach_through_links_too(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "docker.sock").write_text("")
    (folder / "sock").symlink_to(folder / "data" / "docker.sock")
    with pytest.raises(ValueError, match="sessions may be shown"):
        require_out_of_reach(Rules("ours", roots=(f"{folder}/data",)), f"{folder}/sock")


def test_strict_reading_keeps_what_is_said() -> None:
    body = {"a": [1, True, None, "é\n\0"], "b": {"c": 1.5}}
    assert parse_strictly(json.dumps(body).encode()) == body


def test_the_program_serves_and_ends(folder: Path) -> None:
    """As its container runs it; without an engine it says that the engine does not answer."""
    module = "daas_hub.spawners.docker_broker"
    program = [sys.executable, "-m", module]
    code = f"import runpy, conftest; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    options = [f"--listen={folder}/engine.sock", f"--engine=unix://{folder}/docker.sock", "--hub=ours"]
    with subprocess.Popen(
        [program[0], "-c", code, *options], cwd=Path(__file__).parents[3], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert "serving" in process.stderr.readline()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{folder}/engine.sock")
                client.sendall(b"GET /_ping HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n")
                assert b" 503 " in client.recv(4096)
        finally:
            process.terminate()
            process.wait(30)
