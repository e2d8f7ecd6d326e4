"""What the API server's refusals mean: quotas and limits with their numbers, rules of the cluster, rights. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from daas_hub.spawners.kubernetes.quantities import amount_in_words, in_words, quantity, resource_in_words
from daas_hub.spawners.kubernetes.reason import MAX_RAW, Reason, reason_from
from daas_hub.spawners.kubernetes.reason_tables import REFUSALS, STATUSES, TELL, ReasonKind, first_of, missing_right

_QUOTA = re.compile(
    r"exceeded quota: \S+, requested: (?P<requested>\S+), used: (?P<used>\S+), limited: (?P<limited>\S+)"
)
_LIMIT = re.compile(
    r"(?P<which>maximum|minimum) (?P<resource>\S+) usage per \w+ is (?P<allowed>[\w.]+?)[,.] +"
    r"(?:No (?:limit|request) is specified|but (?:limit|request) is (?P<asked>[\w.]+))"
)


def reason_of_refusal(status: int, body: Mapping[str, Any] | str) -> Reason:
    """Return why the API server refused a request.

    Args:
        status: of HTTP.
        body: the answer: a `Status` of the API's JSON, or its text, whatever it is.
    """
    text = _message(body)
    raw = f"{status}: {text}"[:MAX_RAW]
    if found := _QUOTA.search(text):
        lacks_room = not _is_too_large(found)
        remedy = "Stop a session, or try again later." if lacks_room else "Please choose another size."
        return Reason(ReasonKind.QUOTA, _quota_in_words(found), remedy, raw, is_final=True, lacks_room=lacks_room)
    if found := _LIMIT.search(text):
        return Reason(ReasonKind.QUOTA, _limit_in_words(found), "Please choose another size.", raw, is_final=True)
    if right := missing_right(text):
        sentence = f"The portal lacks the right to {right} in the cluster."
        return Reason(ReasonKind.RIGHTS, sentence, TELL, raw, is_final=True)
    if rule := first_of(REFUSALS, text):
        return reason_from(rule, raw)
    if status in STATUSES:
        kind, sentence, remedy, is_final = STATUSES[status]
        return Reason(kind, sentence, remedy, raw, is_final)
    return Reason(ReasonKind.UNKNOWN, "The cluster refuses this session.", TELL, raw, is_final=True)


def _numbers(found: re.Match[str]) -> dict[str, dict[str, str]]:
    """Return the three numbers of an exceeded quota, for each resource."""
    return {name: dict(one.partition("=")[::2] for one in found[name].split(",")) for name in found.groupdict()}


def _is_too_large(found: re.Match[str]) -> bool:
    """Return whether a session asks for more than all of it, so that no end of another one helps."""
    numbers = _numbers(found)
    return any(
        (asked := quantity(amount)) is not None
        and (limit := quantity(numbers["limited"].get(resource))) is not None
        and resource_in_words(resource) != "sessions"
        and asked > limit
        for resource, amount in numbers["requested"].items()
    )


def _quota_in_words(found: re.Match[str]) -> str:
    """Return the numbers of an exceeded quota for a person."""
    numbers = _numbers(found)
    parts = []
    for resource, limited in numbers["limited"].items():
        used, asked = (in_words(numbers[name].get(resource, "0"), resource) for name in ("used", "requested"))
        parts.append(f"{used} of {amount_in_words(limited, resource)} are in use, and it needs {asked}")
    return f"The cluster has no room for this session: {'; '.join(parts)}."


def _limit_in_words(found: re.Match[str]) -> str:
    """Return the limit of one session, and what this one has."""
    resource, asked = found["resource"], found["asked"]
    bound = "at most" if found["which"] == "maximum" else "at least"
    has = f", and this size has {in_words(asked, resource)}" if asked else ""
    return f"In the cluster a session may have {bound} {amount_in_words(found['allowed'], resource)}{has}."


def _message(body: Mapping[str, Any] | str) -> str:
    """Return the text of an answer; of JSON, its message."""
    if isinstance(body, str):
        try:
            parsed = json.loads(body)
        except ValueError:
            return body
        if not isinstance(parsed, dict):
            return body
        body = parsed
    return str(body.get("message") or body.get("reason") or "")
