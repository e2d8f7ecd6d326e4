"""What an engine says, in words for the person whose session it is: why it refused a start, and why one ended. Pure."""

from __future__ import annotations

from typing import Any

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.launch import Plan
from daas_hub.spawners.session_output import failure_in

TELL_ADMINISTRATORS = "Please tell the administrators; the hub's log says more."


def refusal_of(plan: Plan, words: str) -> SessionFailed | StorageProblem:
    """Word what the engine refused, for the user; its own words are for the log."""
    image = plan.application.image
    problem: SessionFailed | StorageProblem
    missing = next((one for one in plan.mounts if f"path does not exist: {one.source}" in words), None)
    if missing is not None:
        name = "Your home" if missing.target == "." else f"The directory {missing.target!r} of this launch"
        problem = StorageProblem(
            f"{name} does not exist on the machine that runs the sessions.", remedy="Please tell the administrators."
        )
    elif "recursive" in words.lower():
        problem = StorageProblem(
            "The raw data cannot be mounted read-only all the way down there.", remedy="Please tell the administrators."
        )
    elif "executable file not found" in words:
        problem = SessionFailed(f"The image {image} has no session in it.", remedy="Build it on images/base.")
    elif "No such image" in words:
        problem = SessionFailed(f"The image {image} is not here any more.", remedy="Please launch again.")
    elif "no space left" in words:
        problem = SessionFailed(
            "There is no room left on the machine that runs the sessions.", remedy="Please tell the administrators."
        )
    else:
        problem = SessionFailed("The engine could not start the session.", remedy=TELL_ADMINISTRATORS)
    problem.add_note(words[:500])
    return problem


def ending_of(state: dict[str, Any], code: int, words: str, memory: int) -> str:
    """Word why a container ended."""
    told = failure_in(words)
    if told:
        return told
    if state.get("OOMKilled"):
        return f"It used more memory than its size allows ({memory / 2**30:.1f} GiB) and was ended."
    if code == 0:
        return "It ended by itself."
    if code in (137, 143):
        return "It was ended by other means than this portal."
    return f"It ended with an error (code {code})."
