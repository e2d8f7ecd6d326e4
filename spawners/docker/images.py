"""The image of a launch: on the engine, pulled if that is allowed, and fit for a session."""

from __future__ import annotations

from collections.abc import Callable

from daas_hub.catalogue import Application
from daas_hub.errors import SessionFailed
from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.messages import TELL_ADMINISTRATORS


async def require_image(engine: Engine, application: Application, report: Callable[[str], None], *, pull: str) -> bool:
    """Make sure that the engine has an application's image; return whether it was pulled, which may take a while.

    Args:
        report: takes the steps of a pull.
        pull: "never" or "missing".

    Raises:
        SessionFailed: there is no such image, or it may not be used.
        EngineUnreachable, ConfigurationError: the engine does not answer, or cannot run sessions.
    """
    reference = application.image
    if not reference:
        raise SessionFailed(f"{application.title} has no image.", remedy=TELL_ADMINISTRATORS)
    await engine.require_able()
    image = await engine.image(reference)
    was_missing = image is None
    if image is None:
        if pull == "never":
            raise SessionFailed(
                f"The image {reference} is not on the engine.", remedy="Please tell the administrators."
            )
        await engine.pulls.wait_for(reference, report)
        image = await engine.image(reference)
    if image is None:
        raise SessionFailed(f"The image {reference} is no longer on the engine.", remedy="Please launch again.")
    if (image.get("Config") or {}).get("Volumes"):
        # a volume is writable space on the engine's disk, without a limit
        raise SessionFailed(
            f"The image {reference} declares volumes, which no session may have.", remedy=TELL_ADMINISTRATORS
        )
    return was_missing
