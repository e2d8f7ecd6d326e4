"""The engine's address, what it must be able to do, and images on their way; without an engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import APIError, DockerException

from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.spawners.docker.engine import Address, Engine, EngineUnreachable
from daas_hub.spawners.docker.pulls import Progress, Pulls


@pytest.mark.parametrize("url", ["unix:///run/docker.sock", "ssh://daas@docker1.facility.org"])
def test_socket_and_ssh_are_safe(url: str) -> None:
    Address(url).require_safe()


@pytest.mark.parametrize(
    ("url", "words"),
    {
        "plain tcp": ("tcp://docker1:2375", "whoever reaches the port is root"),
        "https without certificates": ("https://docker1:2376", "whoever reaches the port is root"),
        "http": ("http://docker1:2375", "is no address of an engine"),
        "nothing": ("", "is no address of an engine"),
        "path": ("/run/docker.sock", "is no address of an engine"),
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


class Told(Engine):
    """An engine whose answers are given."""

    def __init__(self, **answers: Any) -> None:
        super().__init__(Address("unix:///nowhere"), "hub")
        self.answers = answers
        self.asked: list[str] = []

    def call_here(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.asked.append(method)
        answer = self.answers[method]
        if isinstance(answer, BaseException):
            raise answer
        return answer


GOOD = {
    "version": {"ApiVersion": "1.45", "Version": "26.1"},
    "info": {"SecurityOptions": ["name=seccomp,profile=builtin"]},
}


async def test_engine_that_can_is_asked_once() -> None:
    engine = Told(**GOOD)
    await engine.require_able()
    await engine.require_able()
    assert engine.asked == ["version", "info"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            {"version": {"ApiVersion": "1.41", "Version": "20.10.24"}},
            "cannot do what sessions need there",
        ),
        ({"version": {"ApiVersion": "1.9", "Version": "1.9"}}, "cannot do what sessions need"),
        ({"info": {"SecurityOptions": ["name=seccomp,profile=unconfined"]}}, "without a filter of system calls"),
        ({"info": {"SecurityOptions": None}}, "without a filter of system calls"),
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
async def test_engine_that_cannot_is_refused(answers: dict[str, Any], words: str) -> None:
    """H6: better no session than raw data that can be written."""
    with pytest.raises(ConfigurationError, match=words):
        await Told(**GOOD | answers).require_able()


async def test_engine_on_another_machine_needs_parts_of_volumes() -> None:
    """ES38: Docker 25 is enough here, and not there."""
    engine = Told(**GOOD | {"version": {"ApiVersion": "1.44", "Version": "25.0.0"}})
    await engine.require_able()
    engine.address = Address("ssh://daas@docker1.facility.org")
    engine._checked = False
    with pytest.raises(ConfigurationError, match="Docker 26"):
        await engine.require_able()


async def test_many_polls_are_one_question() -> None:
    engine = Told(containers=[{"Names": ["/daas-1"], "State": "running"}, {"Names": ["/daas-2"], "State": "paused"}])
    states = await asyncio.gather(*(engine.state_of(f"daas-{number}") for number in (1, 2, 3) * 50))
    assert [one.status for one in states[:3]] == ["running", "paused", ""]
    assert engine.asked == ["containers"]
    engine.forget_listing()
    await engine.state_of("daas-1")
    assert engine.asked == ["containers"] * 2


async def test_engine_that_answers_nonsense_is_away_not_empty() -> None:
    """H7: a daemon that answers 500 has not lost its containers."""

    class Answer:
        status_code = 500

    engine = Told(containers=APIError("server error", response=Answer()))
    with pytest.raises(EngineUnreachable):
        await engine.state_of("daas-1")


@pytest.mark.parametrize(
    "problem",
    [requests.ConnectionError(), DockerException("no socket"), ConnectionRefusedError()],
    ids=lambda one: type(one).__name__,
)
async def test_engine_that_is_not_there_is_away(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def no_client() -> None:
        raise problem

    engine = Engine(Address("unix:///nowhere/docker.sock"), "hub")
    monkeypatch.setattr(engine, "new_client", no_client)
    with pytest.raises(EngineUnreachable, match="does not answer"):
        await engine.state_of("daas-1")


def test_progress_counts_what_is_still_to_come() -> None:
    progress = Progress("a:1")
    assert progress.words() == "Fetching the application, which was not used here before"
    for line in (
        {"status": "Pulling from a"},
        {"status": "Downloading", "id": "x", "progressDetail": {"current": 5_000_000, "total": 40_000_000}},
        {"status": "Downloading", "id": "y", "progressDetail": {"current": 1_200_000, "total": 2_000_000}},
        {"status": "Extracting", "id": "z", "progressDetail": {"current": 1, "total": 2}},
    ):
        progress.take(line)
    assert progress.words() == "Fetching the application: 6.2 of 42 MB"
    progress.take({"status": "Pull complete", "id": "x"})
    assert progress.words() == "Fetching the application: 41 of 42 MB"


async def test_one_pull_for_all_who_wait_and_it_goes_on_when_one_leaves() -> None:
    """DI04, DI05."""
    started, go = threading.Event(), threading.Event()
    pulled: list[str] = []

    def pull(reference: str, tell: Callable[[dict[str, Any]], None]) -> None:
        pulled.append(reference)
        started.set()
        go.wait(5)

    pulls = Pulls(pull)
    waiting = [asyncio.ensure_future(pulls.wait_for("a:1", lambda words: None)) for _ in range(3)]
    await asyncio.to_thread(started.wait, 5)
    waiting[0].cancel()
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*waiting[1:])
    assert pulled == ["a:1"]
    assert waiting[0].cancelled()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("failed to register layer: write /x: no space left on device", "no room left"),
        ("manifest for a:1 not found: manifest unknown: manifest unknown", "no registry has it"),
        ("unauthorized: authentication required", "does not give it to this portal"),
        (
            "Get https://r/: tls: failed to verify certificate: x509: signed by unknown authority",
            "is not trusted there",
        ),
        ("dial tcp 127.0.0.1:1: connect: connection refused", "the registry does not answer"),
        ("something else", "it could not be fetched"),
    ],
)
async def test_failure_of_a_pull_is_worded(words: str, reason: str) -> None:
    """K4: in the stream of words, or as an answer."""

    def in_the_stream(reference: str, tell: Callable[[dict[str, Any]], None]) -> None:
        tell({"error": words})

    def as_an_answer(reference: str, tell: Callable[[dict[str, Any]], None]) -> None:
        raise APIError("refused", explanation=words)

    for pull in (in_the_stream, as_an_answer):
        with pytest.raises(SessionFailed, match=reason) as problem:
            await Pulls(pull).wait_for("a:1", lambda told: None)
        assert words in str(problem.value.__notes__)
