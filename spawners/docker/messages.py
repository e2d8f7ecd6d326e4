"""Messages for the person whose session it is: why the engine refused a start, and why a session ended. Pure."""

from __future__ import annotations

import datetime

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.launch import Plan

TELL_ADMINISTRATORS = "Please tell the administrators; the hub's log says more."


def refusal_of(plan: Plan, message: str) -> SessionFailed | StorageProblem:
    """Return why the engine refused, for the user; its own message is for the log."""
    image = plan.application.image
    problem: SessionFailed | StorageProblem
    missing = next((one for one in plan.mounts if f"path does not exist: {one.source}" in message), None)
    if missing is not None:
        name = "Your home" if missing.target == "." else f"The directory {missing.target!r} of this launch"
        problem = StorageProblem(
            f"{name} does not exist on the machine that runs the sessions.", remedy="Please tell the administrators."
        )
    elif "permission denied" in message and any(str(one.source) in message for one in plan.mounts):
        problem = StorageProblem(
            "The storage does not let the machine that runs the sessions mount your directories.",
            remedy="Please tell the administrators: root may not enter them there (storage-on-nfs).",
        )
    elif "recursive" in message.lower():
        problem = StorageProblem(
            "The raw data cannot be mounted read-only recursively there.", remedy="Please tell the administrators."
        )
    elif "executable file not found" in message:
        problem = SessionFailed(f"The image {image} has no session program.", remedy="Build it on images/base.")
    elif "No such image" in message:
        problem = SessionFailed(f"The image {image} is no longer on the engine.", remedy="Please launch again.")
    elif "could not select device driver" in message or "CDI device" in message:
        problem = SessionFailed(
            "The machine that runs the sessions could not give this one its GPUs.",
            remedy="Choose a size without a GPU, and please tell the administrators.",
        )
    elif "no space left" in message:
        problem = SessionFailed(
            "The disk of the machine that runs the sessions is full.", remedy="Please tell the administrators."
        )
    else:
        problem = SessionFailed("The engine could not start the session.", remedy=TELL_ADMINISTRATORS)
    problem.add_note(message[:500])
    return problem


def ending_of(code: int) -> str:
    """Return why a container ended that has not said it itself, from its exit code."""
    if code == 0:
        return "It ended by itself."
    if code in (137, 143):
        return "It was stopped from outside this portal."
    return f"It ended with an error (code {code})."


def time_in(moment: object) -> float:
    """Return a time of the engine in seconds since 1970; 0 for one that it does not have."""
    try:
        seconds = datetime.datetime.fromisoformat(str(moment)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    # "0001-01-01T00:00:00Z" is the engine's word for never
    return max(0.0, seconds)
