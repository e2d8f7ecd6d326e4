"""What an API server answers: a document, a refusal, or nothing that can be relied on. Never with the request."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from daas_hub.errors import SessionFailed
from daas_hub.spawners.kubernetes.reason_tables import missing_right

Json = dict[str, Any]
#: Seconds within which an API server that was just started knows its roles; before, it refuses everything.
ROLES_S = 5.0


class ClusterUnreachable(SessionFailed):
    """The API server does not answer: the state of its sessions is unknown, and nothing is changed."""

    reason = "cluster"

    def __init__(self, why: str = "") -> None:
        super().__init__(
            "The cluster that runs the sessions does not answer.",
            remedy="Please try again in a few minutes; running sessions continue.",
        )
        #: For administrators.
        self.why = why
        #: Whether the hub does not trust the API server's certificate.
        self.is_about_trust = False
        if why:
            self.add_note(why)


class APIRefusal(Exception):
    """The API server answered, and refused.

    Attributes:
        status: the status code.
        reason: Kubernetes' own word: "AlreadyExists", "Forbidden".
        message: its sentence, for administrators.
        details: what it is about.
        retry_after_s: when it wants to be asked again; 0.0 if it does not say.
    """

    def __init__(self, status: int, document: Mapping[str, Any], *, retry_after: str = "") -> None:
        self.status = status
        self.document = dict(document)
        self.reason = str(document.get("reason") or "")
        self.message = str(document.get("message") or "")[:2000]
        details = document.get("details")
        self.details = dict(details) if isinstance(details, Mapping) else {}
        wanted = retry_after or str(self.details.get("retryAfterSeconds") or "")
        self.retry_after_s = float(wanted) if wanted.isascii() and wanted.isdigit() else 0.0
        super().__init__(f"{status} {self.reason}: {self.message}")

    def says_absent(self, kind: str, name: str) -> bool:
        """Return whether the API server itself says that there is no such object; a proxy's 404 says nothing."""
        about = (self.details.get("kind"), self.details.get("name"))
        return self.status == 404 and self.reason == "NotFound" and about == (kind, name)

    @property
    def is_about_rights(self) -> bool:
        """Whether the hub may not do this at all, as opposed to a refusal by a quota or a policy."""
        return self.status == 403 and " is forbidden: User " in self.message and " cannot " in self.message

    @property
    def missing_right(self) -> str:
        """The right that the hub lacks, as "list pods"; "" for another refusal."""
        return missing_right(self.message) if self.is_about_rights else ""


@contextlib.contextmanager
def unreachable() -> Iterator[None]:
    """Turn every error of a connection into `ClusterUnreachable`, without the request."""
    try:
        yield
    except (OSError, TimeoutError, aiohttp.ClientError, ValueError) as problem:
        text = str(problem) if isinstance(problem, OSError) else ""
        unreached = ClusterUnreachable(f"{type(problem).__name__} {text}".strip())
        unreached.is_about_trust = isinstance(problem, aiohttp.ClientSSLError | ssl.SSLError)
        raise unreached from None


def pause_after(problem: Exception, wait_s: float) -> float:
    """Return how many seconds to wait after a problem: as long as the API server wants, and `wait_s` at least."""
    return max(wait_s, problem.retry_after_s if isinstance(problem, APIRefusal) else 0.0)


def document_of(response: aiohttp.ClientResponse, body: bytes) -> Json:
    """Return the document of an answer.

    Raises:
        APIRefusal: it is a refusal.
        ClusterUnreachable: it is not the API's JSON: a proxy's page, or half an answer.
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if response.status >= 300:
        after = response.headers.get("Retry-After", "")
        raise APIRefusal(response.status, document if isinstance(document, dict) else {}, retry_after=after)
    if not isinstance(document, dict):
        raise ClusterUnreachable("its answer is not JSON")
    return document
