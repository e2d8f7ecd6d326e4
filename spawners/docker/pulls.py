"""Pulls of images: one for an image however many wait for it, and it continues when one of them leaves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import aiohttp
from aiodocker import Docker, DockerError
from docker import auth
from docker.errors import DockerException

from daas_hub.errors import SessionFailed

#: Seconds between two progress reports.
REPORT_INTERVAL_S = 1.0


class Pulls:
    """The running pulls of one engine."""

    def __init__(self, pull: Callable[[str], AsyncIterator[dict[str, Any]]]) -> None:
        """Take what pulls one image and yields the engine's progress lines."""
        self._pull = pull
        self._running: dict[str, tuple[asyncio.Task[None], Progress]] = {}

    async def wait_for(self, reference: str, report: Callable[[str], None]) -> None:
        """Pull an image, or wait for the running pull; report how far it is.

        Raises:
            SessionFailed: it cannot be pulled, with the reason.
        """
        if reference not in self._running:
            progress = Progress()
            task = asyncio.create_task(self._run(reference, progress))
            # nobody may be left who waits for a failure
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            self._running[reference] = (task, progress)
        task, progress = self._running[reference]
        reported = ""
        while not task.done():
            if progress.text() != reported:
                reported = progress.text()
                report(reported)
            await asyncio.wait([task], timeout=REPORT_INTERVAL_S)
        task.result()

    async def _run(self, reference: str, progress: Progress) -> None:
        try:
            async for line in self._pull(reference):
                progress.take(line)
        except DockerError as error:
            raise _failure(reference, error.message) from error
        except (DockerException, aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(reference, str(error)) from error
        finally:
            del self._running[reference]


async def pull_image(docker: Docker, reference: str) -> AsyncGenerator[dict[str, Any], None]:
    """Pull exactly one tag or digest (DI01); yield the engine's progress lines.

    Raises:
        aiodocker.DockerError, docker.errors.DockerException, OSError: it cannot be pulled.
    """
    repository, _, tag = reference.rpartition("@") if "@" in reference else reference.rpartition(":")
    if "@" in reference and ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]  # name:tag@digest: the digest says it all
    credentials = await asyncio.to_thread(registry_credentials, repository)
    async for line in docker.images.pull(repository, tag=tag, auth=credentials, stream=True):
        yield line


def registry_credentials(repository: str) -> dict[str, Any] | None:
    """Return what `docker login` of the hub's user left for a registry, from its file or credential helper.

    aiodocker looks for none; docker-py, which dockerspawner brings, does.

    Raises:
        docker.errors.DockerException: the file or the helper cannot be used.
    """
    registry, _ = auth.resolve_repository_name(repository)
    found = auth.load_config().resolve_authconfig(registry)
    if not found or "/" not in repository:
        return None
    # with an "identitytoken", be it empty, aiodocker keeps the address of the registry as it is
    token = found.pop("IdentityToken", found.get("identitytoken", ""))
    return {**found, "identitytoken": token}


class Progress:
    """How far a pull is, from the engine's lines about each layer."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}

    def take(self, line: dict[str, Any]) -> None:
        """Take one line of the engine."""
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and "total" in detail and "id" in line:
            self._layers[str(line["id"])] = (int(detail.get("current", 0)), int(detail["total"]))
        elif line.get("status") in ("Download complete", "Pull complete") and str(line.get("id")) in self._layers:
            total = self._layers[str(line["id"])][1]
            self._layers[str(line["id"])] = (total, total)

    def text(self) -> str:
        """Return the progress, worded for the user."""
        done, total = (sum(sizes) for sizes in zip(*self._layers.values(), strict=True)) if self._layers else (0, 0)
        if not total:
            return "Fetching the application, which was not used here before"
        return f"Fetching the application: {_megabytes(done)} of {_megabytes(total)} MB"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f}" if count >= 10e6 else f"{count / 1e6:.1f}"


_REASONS = (
    (r"no space left on device", "the disk of the machine that runs the sessions is full"),
    (r"manifest unknown|not found|does not exist|pull access denied|repository name", "no registry has it"),
    (r"unauthorized|authentication required|denied", "the registry refuses it to this portal"),
    (r"certificate|x509|tls", "the registry's certificate is not trusted there"),
    (r"timeout|connection refused|no such host|dial tcp|EOF|reset by peer", "the registry does not answer"),
)


def _failure(reference: str, message: str) -> SessionFailed:
    """Word why an image could not be had; the engine's own message is for the log."""
    reason = next(
        (text for pattern, text in _REASONS if re.search(pattern, message, re.IGNORECASE)), "it could not be fetched"
    )
    problem = SessionFailed(
        f"The image {reference} is not on the engine, and {reason}.", remedy="Please tell the administrators."
    )
    problem.add_note(message[:500])
    return problem
