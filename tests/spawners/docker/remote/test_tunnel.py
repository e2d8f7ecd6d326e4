"""Sessions of another machine's engine (ES38): the tunnel against the real far end, arrival over input and output.

The engine's part, a stream to a program in a container, is played by a program of this machine with pipes;
tests/docker/test_elsewhere.py has the engine itself, over TLS and over ssh.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.session.tunnel_end import offer_listener
from daas_hub.spawners.docker.container_spec import HUB_LABEL, RemoteFiles, create_body
from daas_hub.spawners.docker.remote.handshake import admit
from daas_hub.spawners.docker.remote.tunnel import MAX_CONNECTIONS, ssh_options
from daas_hub.spawners.mount_handshake import GrantedDirectory
from tests.spawners.docker.plans import (
    GOLDEN,
    PLAN,
)
from tests.spawners.docker.remote.site import (
    Site,
    SiteEnd,
    Stream,
    echo,
    said_back,
)
from tests.spawners.grants import (
    granted,
)


async def test_connections_go_both_ways_whole_and_side_by_side(site: Site) -> None:
    """ES38: twenty at a time in each direction, two megabytes each; an end is an end on the other side."""
    async with (
        await asyncio.start_unix_server(echo, site.inside / "http.sock"),
        await asyncio.start_unix_server(echo, site.here / "api.sock"),
        site.tunnel(api=site.here / "api.sock") as tunnel,
    ):
        await tunnel.wait_until_open()
        sent = [os.urandom(2_000_000) for _ in range(20)]
        there = [said_back(site.here / "http.sock", one) for one in sent]
        back = [said_back(site.inside / "api.sock", one) for one in sent]
        assert await asyncio.gather(*there, *back) == [*sent, *sent]
        assert len(site.streams) == 1


async def test_what_stands_in_a_sockets_place_is_taken_away(site: Site) -> None:
    """A script of the user's that wrote there does not make its session unreachable."""
    (site.inside / "api.sock").write_text("mine")
    async with (
        await asyncio.start_unix_server(echo, site.here / "api.sock"),
        site.tunnel(api=site.here / "api.sock") as way,
    ):
        await way.wait_until_open()
        assert await said_back(site.inside / "api.sock", b"hello") == b"hello"


async def test_slow_reader_does_not_fill_the_hub(site: Site) -> None:
    """R4: who sends more than the other side takes has to wait; a neighbour on the same tunnel does not."""
    stuck = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(1) == b"s":
            await stuck.wait()
        else:
            await echo(reader, writer)
        writer.close()

    async with await asyncio.start_unix_server(slow, site.inside / "http.sock"), site.tunnel() as tunnel:
        await tunnel.wait_until_open()
        _, writer = await asyncio.open_unix_connection(str(site.here / "http.sock"))
        writer.write(b"s")
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 200_000_000:
                writer.write(bytes(1_000_000))
                sent += 1_000_000
                async with asyncio.timeout(1):
                    await writer.drain()
        assert sent < 20_000_000
        assert await said_back(site.here / "http.sock", b"e" + b"hello") == b"hello"
        stuck.set()
        writer.close()


@pytest.mark.parametrize("failure", [AssertionError, AttributeError, RuntimeError, EOFError])
async def test_tunnel_is_opened_again_whatever_an_opening_failed_with(site: Site, failure: type[Exception]) -> None:
    """aiodocker asserts that an engine is there, which may be killed at any moment."""
    open_really, failures = site.end.open, [failure("the engine was killed"), failure("again")]

    def open_or_fail(directories: Sequence[Path]) -> Stream:
        if failures:
            raise failures.pop()
        return open_really(directories)

    site.end.open = open_or_fail  # type: ignore[method-assign]
    async with await asyncio.start_unix_server(echo, site.inside / "http.sock"), site.tunnel():
        assert await said_back(site.here / "http.sock", b"hello") == b"hello"
    assert failures == []


async def test_tunnel_that_broke_is_opened_again_and_who_came_meanwhile_is_served(site: Site) -> None:
    """R2: the engine restarted, or somebody ended the far end from inside."""
    async with await asyncio.start_unix_server(echo, site.inside / "http.sock"), site.tunnel() as tunnel:
        await tunnel.wait_until_open()
        for _ in range(3):
            site.streams[-1].process.kill()
            async with asyncio.timeout(30):
                assert await said_back(site.here / "http.sock", b"again") == b"again"
        assert len(site.streams) == 4


@pytest.mark.parametrize(
    "program",
    [
        "print('hello')",
        "import os, time; os.write(1, b'SSH-2.0-x\\r\\n' + bytes(10000)); time.sleep(60)",
        "import sys; sys.stdout.buffer.write(bytes(50_000_000))",
        "import time; time.sleep(60)",
    ],
)
async def test_other_program_at_the_far_end_gets_nothing(site: Site, program: str) -> None:
    """H3: the far end runs as the user, who may put another program in its place."""
    site.end = SiteEnd(site.inside, open_timeout_s=1.0)
    site.end.command = (sys.executable, "-c", program)
    async with site.tunnel() as tunnel:
        with pytest.raises(SessionFailed):
            await tunnel.wait_until_open()
        assert await said_back(site.here / "http.sock", b"hello") == b""


async def test_far_end_opens_nothing_but_what_was_named(site: Site, tmp_path: Path) -> None:
    """H4: whoever holds its input reaches one socket, and makes sockets in two folders."""
    import asyncssh

    async with Stream.of(*site.end.command, str(site.inside / "http.sock"), str(site.inside)) as stream:
        connection = await asyncssh.connect("session", sock=stream.socket, options=ssh_options(20.0))
        async with await asyncio.start_unix_server(echo, tmp_path / "other.sock"):
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_unix_connection(str(tmp_path / "other.sock"))
            for wrong in (tmp_path / "more.sock", site.inside / ".." / "more.sock"):
                with pytest.raises(asyncssh.ChannelListenError):
                    await connection.forward_remote_path(str(wrong), str(tmp_path / "other.sock"))
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", 22)
            with pytest.raises(asyncssh.Error):
                await connection.run("id")
        connection.abort()


# -- arrival ------------------------------------------------------------------------------------------------------

ARRIVING = """
import json, os, socket
from daas_hub.session.mount_handshake import shake_hands
shake_hands()
out = {key: os.environ.get(key) for key in ("TOKEN", "HOME", "DAAS_HANDSHAKE")}
out["input"] = os.read(0, 100).decode()
out["listens"] = socket.socket(fileno=int(os.environ["DAAS_LISTEN_FD"])).getsockname()
print("more words of the session")
open(os.environ["TOLD"], "w").write(json.dumps(out))
"""


@pytest.mark.parametrize(
    ("changes", "is_writable", "is_let_in"),
    [({"device": None}, True, True), ({"device": None, "inode": 4}, True, False), ({"device": None}, False, False)],
)
async def test_arrival_over_input_and_output(
    tmp_path: Path, changes: dict[str, Any], is_writable: bool, is_let_in: bool
) -> None:
    """H5: the same inode and the same right to write, or nothing is handed over; devices are a machine's own."""
    directory = tmp_path / "processed"
    directory.mkdir()
    what: list[GrantedDirectory] = [granted(directory, writable=is_writable, **changes)]
    offer_listener(f"{tmp_path}/http.sock")
    async with Stream.of(
        sys.executable, "-c", ARRIVING, DAAS_HANDSHAKE=f"-{tmp_path}/http.sock", TOLD=f"{tmp_path}/told"
    ) as stream:
        if not is_let_in:
            with pytest.raises(StorageProblem):
                await admit(stream, what, {"TOKEN": "secret", "HOME": "/home/anna"})
            assert not (tmp_path / "told").exists()
            return
        await admit(stream, what, {"TOKEN": "secret", "HOME": "/home/anna"})
        assert await asyncio.to_thread(stream.process.wait, 10) == 0
    told = json.loads((tmp_path / "told").read_text())
    assert told == {
        "TOKEN": "secret", "HOME": "/home/anna", "DAAS_HANDSHAKE": None, "input": "",
        "listens": f"{tmp_path}/http.sock",
    }  # fmt: skip
    # handed over once
    assert [name for name in os.listdir(tmp_path) if name.startswith("http.sock")] == ["http.sock"]


@pytest.mark.parametrize("said", ["", "[[1, 2]]", "{}", "[1]", "not JSON", "[" + "[1, 2, true]," * 1000 + "[0]]"])
async def test_who_says_something_else_is_not_let_in(tmp_path: Path, said: str) -> None:
    async with Stream.of(sys.executable, "-c", f"import sys; sys.stdin.readline(); print({said!r})") as stream:
        with pytest.raises((SessionFailed, StorageProblem)):
            await admit(stream, [granted(tmp_path)], {"TOKEN": "secret"})


# -- the create call ----------------------------------------------------------------------------------------------


def test_create_call_differs_from_that_of_this_machine_only_in_its_surroundings() -> None:
    """ES38, H2': no path of the hub's machine but the storage's; every other limit is the same."""
    body = create_body(
        PLAN, RemoteFiles("daas-k", (Path("/opt/tools"),)), program="daas-session", labels={HUB_LABEL: "k"}
    )
    golden = json.loads(GOLDEN.read_text())
    assert (body.pop("OpenStdin"), body.pop("StdinOnce")) == (True, True)
    body["Env"][-1] = golden["Env"][-1]
    made, wanted = body["HostConfig"].pop("Mounts"), golden["HostConfig"].pop("Mounts")
    memory = body["HostConfig"].pop("Tmpfs")
    extra = {folder: memory.pop(folder) for folder in ("/run/daas-hub", "/run/daas-sockets")}
    assert memory == golden["HostConfig"].pop("Tmpfs")
    assert set(extra.values()) == {"rw,nosuid,nodev,noexec,mode=0755,uid=65534,gid=65534,size=1m"}
    assert body == golden
    given = [one for one in made if one["Type"] == "volume"]
    assert {one["Source"] for one in given} == {"daas-k"}
    assert all(one["ReadOnly"] for one in given)
    assert [one for one in made if one["Type"] == "bind"] == [
        one for one in wanted if not one["Source"].startswith("/run/daas-hub")
    ]


async def test_connections_of_a_session_are_bounded(site: Site) -> None:
    """D2: each one takes a descriptor of the hub; further ones are closed, and there is room again after an end."""
    served: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        await echo(reader, writer)

    async with (
        await asyncio.start_unix_server(hold, site.here / "api.sock"),
        site.tunnel(api=site.here / "api.sock") as tunnel,
    ):
        await tunnel.wait_until_open()
        held = [await asyncio.open_unix_connection(str(site.inside / "api.sock")) for _ in range(2 * MAX_CONNECTIONS)]
        refused = 0
        for reader, writer in held:
            writer.write(b"x")
            with contextlib.suppress(ConnectionError):
                refused += await reader.read(1) != b"x"
        assert len(served) == MAX_CONNECTIONS
        assert refused == MAX_CONNECTIONS
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(ConnectionError):
                    if await said_back(site.inside / "api.sock", b"hello") == b"hello":
                        break
                await asyncio.sleep(0.05)
