"""What a session can reach in each place: one table for all of them, with every difference and its reason."""

from __future__ import annotations

_VERSION = {"hub: /hub/api/": "every session may ask for the version of the hub"}
_OWN_PROGRAMS = {
    "ptrace of the parent": "the default profile of container engines allows it: programs of the same session, "
    "but neither its server nor what has its token"
}
#: Attempts of `reach.py` that succeed, by place; every other one is refused in every place.
ALLOWED: dict[str, dict[str, str]] = {
    "here": _VERSION | {"token of the session": "bubblewrap's first process has it in its environment (security.md)"},
    "engine": _VERSION
    | _OWN_PROGRAMS
    | {"ptrace of the first process": "it is the engine's own, which only reaps processes"},
    "cluster": _VERSION
    | _OWN_PROGRAMS
    | {"more processes than its size has": "the kubelet's to limit (podPidsLimit), for all pods of a node alike"},
}


def verdicts(output: str) -> dict[str, str]:
    """Return what became of each attempt, from the lines of `reach.py` and `writes.py`."""
    lines = [line.partition(": ") if not line.startswith("hub: ") else _of_hub(line) for line in output.splitlines()]
    return {name: verdict for name, _, verdict in lines}


def _of_hub(line: str) -> tuple[str, str, str]:
    name, _, verdict = line.removeprefix("hub: ").partition(": ")
    return f"hub: {name}", ": ", verdict


def unexpected(place: str, found: dict[str, str]) -> dict[str, str]:
    """Return the attempts whose outcome is not that of the table."""
    allowed = ALLOWED[place]
    wrong = {name: one for name, one in found.items() if one.startswith("refused") is (name in allowed)}
    return wrong | {name: "not tried" for name in allowed if name not in found}
