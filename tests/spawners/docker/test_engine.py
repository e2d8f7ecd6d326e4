"""The engine's address, what it must be able to do, its events, and pulls; with an engine's API on a socket."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from aiodocker import DockerError

from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from daas_hub.spawners.docker.pulls import Progress
from tests.live_portal import free_ports
from tests.spawners.docker.fake_engine import certificates, client_of, fake_engine


@pytest.mark.parametrize("url", ["unix:///run/docker.sock", "ssh://daas@docker1.facility.org"])
def test_socket_and_ssh_are_safe(url: str) -> None:
    Address(url).require_safe()


@pytest.mark.parametrize(
    ("url", "words"),
    {
        "plain tcp": ("tcp://docker1:2375", "whoever reaches the port is root"),
        "https without certificates": ("https://docker1:2376", "whoever reaches the port is root"),
        "http": ("http://docker1:2375", "is not the address of an engine"),
        "nothing": ("", "is not the address of an engine"),
        "path": ("/run/docker.sock", "is not the address of an engine"),
    }.values(),
)
def test_address_at_which_anybody_is_root_is_refused(url: str, words: str) -> None:
    """AL31: the predecessor's engine listened on plain TCP."""
    with pytest.raises(ConfigurationError, match=words):
        Engine(Address(url), "hub")


def test_folder_without_the_key_is_refused(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem"):
        (tmp_path / name).write_text("")
    with pytest.raises(ConfigurationError, match=r"lacks key\.pem"):
        Address("tcp://docker1:2376", str(tmp_path)).require_safe()


async def test_engine_that_can_is_asked_once(tmp_path: Path) -> None:
    async with fake_engine(tmp_path / "e.sock") as fake:
        engine = client_of(fake)
        await engine.require_able()
        await engine.require_able()
        assert fake.asked == ["/version", "/info"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            {"version": {"ApiVersion": "1.41", "Version": "20.10.24"}},
            "cannot do what sessions need there",
        ),
        ({"version": {"ApiVersion": "1.9", "Version": "1.9"}}, "cannot do what sessions need"),
        ({"info": {"SecurityOptions": ["name=seccomp,profile=unconfined"]}}, "without a seccomp filter"),
        ({"info": {"SecurityOptions": None}}, "without a seccomp filter"),
        (
            {"info": {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}},
            "other uids than the storage knows",
        ),
        (
            {"info": {"SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"]}},
            "other uids than the storage knows",
        ),
    ],
)
async def test_engine_that_cannot_is_refused(tmp_path: Path, answers: dict[str, Any], message: str) -> None:
    """H6: better no session than raw data that can be written."""
    async with fake_engine(tmp_path / "e.sock", **answers) as fake:
        with pytest.raises(ConfigurationError, match=message):
            await client_of(fake).require_able()


async def test_engine_on_another_machine_needs_parts_of_volumes(tmp_path: Path) -> None:
    """ES38: Docker 25 is enough here, and not there."""
    tls = (free_ports(1), certificates(tmp_path))
    old = {"ApiVersion": "1.44", "Version": "25.0.0"}
    async with fake_engine(tmp_path / "e.sock", tls=tls, version=old) as fake:
        await client_of(fake).require_able()
        with pytest.raises(ConfigurationError, match="Docker 26"):
            await Engine(Address(f"tcp://127.0.0.1:{tls[0]}", str(tmp_path)), "hub").require_able()


async def test_many_polls_are_one_question(tmp_path: Path) -> None:
    listed = [
        {"Id": "1", "Names": ["/daas-1"], "State": "running"},
        {"Id": "2", "Names": ["/daas-2"], "State": "paused"},
    ]
    async with fake_engine(tmp_path / "e.sock", containers_json=listed) as fake:
        engine = client_of(fake)
        states = await asyncio.gather(*(engine.state_of(f"daas-{number}") for number in (1, 2, 3) * 50))
        assert [one.status for one in states[:3]] == ["running", "paused", ""]
        assert fake.asked == ["/containers/json"]
        engine.forget_listing()
        await engine.state_of("daas-1")
        assert fake.asked == ["/containers/json"] * 2


@pytest.mark.parametrize(
    "answer",
    [(500, "server error"), (503, "starting"), b"<html>a gateway</html>", {"not": "a list"}],
    ids=["500", "503", "page", "other"],
)
async def test_engine_that_answers_nonsense_is_away_not_empty(tmp_path: Path, answer: Any) -> None:
    """H7: a daemon that answers 500 has not lost its containers."""
    async with fake_engine(tmp_path / "e.sock", containers_json=answer) as fake:
        with pytest.raises(EngineUnreachable):
            await client_of(fake).state_of("daas-1")


@pytest.mark.parametrize("kind", ["no socket", "nobody listens", "hangs up"])
async def test_engine_that_is_not_there_is_away(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "e.sock"
    server = None
    if kind == "nobody listens":
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    elif kind == "hangs up":
        server = await asyncio.start_unix_server(lambda _, writer: writer.close(), path)
    with pytest.raises(EngineUnreachable, match="does not answer"):
        await Engine(Address(f"unix://{path}"), "hub").state_of("daas-1")
    if server is not None:
        server.close()


async def test_engine_that_keeps_silent_is_away(tmp_path: Path) -> None:
    """Every wait is bounded, and a question that is given up holds up no other."""
    silence = asyncio.Event()

    async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    async with await asyncio.start_unix_server(keep_silent, tmp_path / "e.sock"):
        engine = Engine(Address(f"unix://{tmp_path}/e.sock"), "hub")
        asked = [
            engine.call(lambda docker: docker.containers.container("daas-1").show(), timeout_s=0.2) for _ in range(30)
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in answers} == {EngineUnreachable}
        silence.set()


async def test_refusal_of_the_engine_is_not_its_absence(tmp_path: Path) -> None:
    async with fake_engine(tmp_path / "e.sock", containers_x_start=(400, "bind source path does not exist")) as fake:
        engine = client_of(fake)
        with pytest.raises(DockerError) as refusal:
            await engine.start("x")
        assert refusal.value.message == "bind source path does not exist"
        assert await engine.inspect("nobody") is None
        await engine.remove("nobody")


async def test_environment_of_the_hub_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AL31: another CA, a web proxy or Docker's own variables change neither the address nor whom we trust."""
    for name, value in {
        "REQUESTS_CA_BUNDLE": "/nowhere", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9",
        "DOCKER_HOST": "unix:///nowhere", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere",
        "DOCKER_CONTEXT": "nowhere",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    tls = (free_ports(1), certificates(tmp_path))
    async with fake_engine(tmp_path / "e.sock", tls=tls) as fake:
        await client_of(fake).require_able()
        await Engine(Address(f"tcp://127.0.0.1:{tls[0]}", str(tmp_path)), "hub").require_able()


async def test_engine_of_another_authority_is_none(tmp_path: Path) -> None:
    """AL31: whatever its name; and who shows no certificate of that authority is not served."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    certificates(tmp_path / "theirs")
    tls = (free_ports(1), certificates(tmp_path / "ours"))
    async with fake_engine(tmp_path / "e.sock", tls=tls):
        with pytest.raises(EngineUnreachable):
            await Engine(Address(f"tcp://127.0.0.1:{tls[0]}", str(tmp_path / "theirs")), "hub").require_able()


@pytest.mark.parametrize(
    ("url", "https"),
    [
        ("tcp://docker1", "https://docker1:2376"),
        ("tcp://docker1:2377", "https://docker1:2377"),
        ("https://docker1:2376", "https://docker1:2376"),
        ("tcp://[fd00::1]:2376", "https://[fd00::1]:2376"),
    ],
)
def test_address_with_tls_is_asked_over_https(url: str, https: str) -> None:
    assert Address(url).tls_url == https


def test_only_the_engines_own_ca_is_trusted(tmp_path: Path) -> None:
    """AL31: none of the machine's authorities vouches for an engine."""
    certificates(tmp_path)
    context = Address("tcp://docker1", str(tmp_path)).tls_context()
    assert [dict(part[0] for part in one["subject"])["commonName"] for one in context.get_ca_certs()] == ["ca"]
    assert context.check_hostname


# -- events -------------------------------------------------------------------------------------------------------


async def test_events_reach_their_session_and_come_again_after_an_end(tmp_path: Path) -> None:
    """DI02: one stream for all sessions; it is opened again."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with fake_engine(tmp_path / "e.sock") as fake, asyncio.timeout(30):
        engine = client_of(fake)
        engine.listen("daas-1", heard.put_nowait)
        engine.listen("daas-2", lambda action: heard.put_nowait(f"2 {action}"))
        fake.events.put_nowait(event("daas-1", "die"))
        fake.events.put_nowait(event("daas-3", "die"))
        fake.events.put_nowait(event("daas-2", "oom"))
        assert [await heard.get(), await heard.get()] == ["die", "2 oom"]
        fake.events.put_nowait(None)  # the engine ends the stream
        engine.stop_listening("daas-1")
        fake.events.put_nowait(event("daas-1", "pause"))
        fake.events.put_nowait(event("daas-2", "destroy"))
        assert await heard.get() == "2 destroy"
        assert fake.asked == ["/events"] * 2


def event(name: str, action: str) -> dict[str, Any]:
    return {"Type": "container", "Action": action, "Actor": {"Attributes": {"name": name}}, "time": 1}


# -- pulls --------------------------------------------------------------------------------------------------------


def test_progress_counts_what_is_still_to_come() -> None:
    progress = Progress()
    assert progress.text() == "Fetching the application, which was not used here before"
    for line in (
        {"status": "Pulling from a"},
        {"status": "Downloading", "id": "x", "progressDetail": {"current": 5_000_000, "total": 40_000_000}},
        {"status": "Downloading", "id": "y", "progressDetail": {"current": 1_200_000, "total": 2_000_000}},
        {"status": "Extracting", "id": "z", "progressDetail": {"current": 1, "total": 2}},
    ):
        progress.take(line)
    assert progress.text() == "Fetching the application: 6.2 of 42 MB"
    progress.take({"status": "Pull complete", "id": "x"})
    assert progress.text() == "Fetching the application: 41 of 42 MB"


async def test_one_pull_for_all_who_wait_and_it_goes_on_when_one_leaves(tmp_path: Path) -> None:
    """DI04, DI05."""
    async with fake_engine(tmp_path / "e.sock") as fake:
        engine = client_of(fake)
        waiting = [asyncio.ensure_future(engine.pulls.wait_for("a:1", lambda words: None)) for _ in range(3)]
        await fake.streaming.wait()
        waiting[0].cancel()
        await asyncio.sleep(0)
        fake.go.set()
        await asyncio.gather(*waiting[1:])
        assert fake.pulled == [{"fromImage": "a", "tag": "1"}]
        assert waiting[0].cancelled()


@pytest.mark.parametrize(
    ("reference", "repository", "tag"),
    [
        ("a:1", "a", "1"),
        ("registry:5000/team/a:1", "registry:5000/team/a", "1"),
        (f"registry:5000/a@sha256:{'0' * 64}", "registry:5000/a", f"sha256:{'0' * 64}"),
        (f"registry:5000/a:1@sha256:{'0' * 64}", "registry:5000/a", f"sha256:{'0' * 64}"),
    ],
)
async def test_exactly_one_tag_or_digest_is_pulled(tmp_path: Path, reference: str, repository: str, tag: str) -> None:
    """DI01."""
    async with fake_engine(tmp_path / "e.sock") as fake:
        fake.go.set()
        await client_of(fake).pulls.wait_for(reference, lambda words: None)
        assert fake.pulled == [{"fromImage": repository, "tag": tag}]


async def test_login_at_a_registry_of_the_hubs_user_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `docker login` left for this registry goes to the engine, and to no other registry."""
    login = {"auths": {"registry.facility.org": {"auth": base64.b64encode(b"portal:secret").decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(login))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    async with fake_engine(tmp_path / "e.sock") as fake:
        fake.go.set()
        engine = client_of(fake)
        for reference in ("registry.facility.org/team/a:1", "other.facility.org/a:1", "a:1"):
            await engine.pulls.wait_for(reference, lambda words: None)
    found = json.loads(base64.urlsafe_b64decode(fake.credentials[0]))
    assert (found["username"], found["password"]) == ("portal", "secret")
    assert found["serveraddress"] == "registry.facility.org"
    assert fake.credentials[1:] == ["", ""]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("failed to register layer: write /x: no space left on device", "is full"),
        ("manifest for a:1 not found: manifest unknown: manifest unknown", "no registry has it"),
        ("unauthorized: authentication required", "the registry refuses it to this portal"),
        (
            "Get https://r/: tls: failed to verify certificate: x509: signed by unknown authority",
            "is not trusted there",
        ),
        ("dial tcp 127.0.0.1:1: connect: connection refused", "the registry does not answer"),
        ("something else", "it could not be fetched"),
    ],
)
async def test_failure_of_a_pull_is_worded(tmp_path: Path, words: str, reason: str) -> None:
    """K4: in the stream of its lines, or as an answer."""
    in_the_stream = [{"status": "Pulling"}, {"error": words, "errorDetail": {"message": words}}]
    for number, answer in enumerate((in_the_stream, (500, words))):
        async with fake_engine(tmp_path / f"{number}.sock", images_create=answer) as fake:
            fake.go.set()
            with pytest.raises(SessionFailed, match=reason) as problem:
                await client_of(fake).pulls.wait_for("a:1", lambda text: None)
            assert words in str(problem.value.__notes__)


async def test_listing_is_not_trusted_after_our_own_stop(tmp_path: Path) -> None:
    """A listing said "running" up to 34 ms after a container had stopped."""
    stale = [{"Id": "1", "Names": ["/daas-1"], "State": "running"}]
    async with fake_engine(tmp_path / "e.sock", containers_json=stale) as fake:
        fake.answers["/containers/daas-1/json"] = {"State": {"Status": "exited"}}
        engine = client_of(fake)
        assert (await engine.state_of("daas-1")).status == "running"
        engine.note_stop("daas-1")
        assert (await engine.state_of("daas-1")).status == "exited"
        del fake.answers["/containers/daas-1/json"]
        assert (await engine.state_of("daas-1")).status == ""
