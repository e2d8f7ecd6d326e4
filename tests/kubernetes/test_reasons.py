"""What a cluster says becomes a sentence for the owner; the cluster's own words are for administrators alone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.spawners.kubernetes.reasons import (
    Reason,
    ReasonKind,
    reason_of_event,
    reason_of_pod,
    reason_of_refusal,
)
from tests.kubernetes.corpus import CORPUS, REFUSALS, Entry, ended, event, failed, unscheduled, waiting


def reason_of(said: Any) -> Reason | None:
    if isinstance(said, tuple):
        return reason_of_refusal(*said)
    return reason_of_event(said) if said.get("kind") == "Event" else reason_of_pod(said)


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.name)
def test_corpus(entry: Entry) -> None:
    reason = reason_of(entry.answer)
    assert reason is not None
    assert (reason.kind, reason.is_final) == (entry.kind, entry.is_final), reason
    assert entry.words in reason.sentence, reason


#: What an owner must not read: names of nodes, images, namespaces, webhooks, paths, raw words of Kubernetes.
_RAW = re.compile(
    r"node|pod\b|volume|quota|namespace|webhook|taint|kubelet|sha256|example\.org|daas-|preempt|/data|\d+Gi|[{}\"]",
    re.IGNORECASE,
)


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.name)
def test_owner_reads_nothing_of_the_cluster(entry: Entry) -> None:
    reason = reason_of(entry.answer)
    assert reason is not None
    assert not _RAW.search(f"{reason.sentence} {reason.remedy}".replace("(/tmp)", ""))


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.name)
def test_administrators_read_what_the_cluster_said(entry: Entry) -> None:
    reason = reason_of(entry.answer)
    assert reason is not None
    assert reason.raw
    assert reason.as_error().detail == reason.raw
    if isinstance(entry.answer, tuple):
        assert entry.answer[1] in reason.raw


def test_answer_of_the_api_is_read_as_its_message() -> None:
    status, message = REFUSALS[0].answer
    body = {"kind": "Status", "code": status, "reason": "Forbidden", "message": message}
    assert (
        reason_of_refusal(status, body)
        == reason_of_refusal(status, json.dumps(body))
        == reason_of_refusal(status, message)
    )


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"status": None},
        {"status": {"phase": "Pending"}},
        {"status": {"phase": "Running", "containerStatuses": [{"name": "session", "state": {"running": {}}}]}},
        {"status": {"phase": "Pending", "containerStatuses": None, "conditions": None}},
        {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}},
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        {"status": {"phase": "Pending", "initContainerStatuses": [
            {"name": "directories", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]}},
        event("Scheduled", "Successfully assigned x/y to n1", "Normal"),
        event("Pulling", f"Pulling image {'x'!r}", "Normal"),
        event("Killing", "Stopping container session", "Normal"),
        event("TaintManagerEviction", "Cancelling deletion of Pod x/y", "Normal"),
        event("WaitForFirstConsumer", "waiting for first consumer to be created before binding", "Normal"),
        event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        event("FailedPreStopHook", "PreStopHook failed"),
        event("DNSConfigForming", "Search Line limits were exceeded, some search paths have been omitted"),
        event("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (login)"),
    ],
)  # fmt: skip
def test_what_is_on_its_way_has_no_reason(said: dict[str, Any]) -> None:
    assert reason_of(said) is None


@pytest.mark.parametrize("said", [event("Odd", "something new"), waiting("Odd", "something new")])
def test_unknown_words_are_neutral(said: dict[str, Any]) -> None:
    """A text that a newer release has is not guessed at, and does not end the start."""
    reason = reason_of(said)
    assert reason is not None
    assert (reason.kind, reason.is_final) == (ReasonKind.UNKNOWN, False)
    assert "something new" in reason.raw
    assert "something" not in reason.sentence


def test_time_is_that_of_the_end() -> None:
    reason = reason_of_pod(ended("OOMKilled", 137))
    assert reason is not None
    assert reason.at == 1_796_047_320


def test_failed_pod_without_a_word_is_over() -> None:
    reason = reason_of_pod(failed("", ""))
    assert reason is not None
    assert reason.is_final


def test_very_long_text_is_cut() -> None:
    reason = reason_of_pod(unscheduled("0/900 nodes are available: " + "x" * 100_000))
    assert reason is not None
    assert len(reason.raw) <= 2000


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inside: st.dictionaries(st.sampled_from(["phase", "state", "waiting", "terminated", "reason", "message"]),
                                   inside, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(_json, st.text(max_size=200), st.integers(100, 599))
def test_nothing_that_an_api_sends_raises(status: Any, text: str, code: int) -> None:
    """A proxy before the API server answers with anything."""
    reason_of_pod({"status": status})
    reason_of_pod({"status": {"phase": "Failed", "containerStatuses": [{"name": "session", "state": status}]}})
    reason_of_event({"type": "Warning", "reason": text, "message": status, "lastTimestamp": text})
    assert reason_of_refusal(code, text).sentence


@pytest.mark.parametrize(
    ("requested", "used", "limited", "remedy"),
    [
        ("limits.memory=4Gi", "limits.memory=40Gi", "limits.memory=42Gi", "Stop a session"),
        ("limits.memory=64Gi", "limits.memory=0", "limits.memory=42Gi", "another size"),
        ("limits.cpu=1500m", "limits.cpu=0", "limits.cpu=1", "another size"),
        ("requests.nvidia.com/gpu=1", "requests.nvidia.com/gpu=0", "requests.nvidia.com/gpu=0", "another size"),
        ("pods=1", "pods=0", "pods=0", "Stop a session"),
    ],
)
def test_size_that_never_fits_is_not_waited_for(requested: str, used: str, limited: str, remedy: str) -> None:
    text = f'pods "x" is forbidden: exceeded quota: q, requested: {requested}, used: {used}, limited: {limited}'
    assert remedy in reason_of_refusal(403, text).remedy
