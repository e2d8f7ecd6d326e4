"""How a web server in front proves that a header is its own: by a shared secret, or by a signature made with it.

A header alone proves nothing: any client that reaches the hub can send one, and the predecessor trusted it. Pure except
for the clock, which is an argument.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from daas_hub.errors import Refused

#: A subject in a header. No space and no comma: web servers join two headers of the same name with them.
SUBJECT = re.compile(r"[A-Za-z0-9@._:+/=!-]{1,255}")
SIGNATURE = re.compile(r"t=(?P<time>[0-9]{1,12}),n=(?P<nonce>[A-Za-z0-9_-]{16,64}),s=(?P<sum>[0-9a-f]{64})")
#: Number of nonces remembered; only somebody who knows the secret can reach it.
MAX_NONCES = 20_000

#: Returns every value of a header.
Headers = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class ProofRules:
    """Which proofs are accepted.

    Attributes:
        secret: returns the shared secret, read each time, so that it can be replaced without a restart.
        signed: whether a signature is required, or the secret itself in a header.
        max_age_s: maximum age of a signature, and maximum difference between the two clocks.
    """

    secret: Callable[[], str] = field(repr=False)
    signed: bool = True
    subject_header: str = "X-Daas-Subject"
    proof_header: str = "X-Daas-Proof"
    max_age_s: float = 60.0


def signature_of(secret: str, *, time: int, nonce: str, host: str, path: str, subject: str) -> str:
    """Return the header that a web server sends: HMAC-SHA256 over each part on a line of its own."""
    text = "\n".join(("daas-proxy-1", str(time), nonce, host.lower(), path, subject))
    return f"t={time},n={nonce},s={hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"


class Proofs:
    """Verifies proofs, and accepts each signature once."""

    def __init__(self, rules: ProofRules, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock
        self._seen: dict[str, float] = {}

    def subject_of(self, headers: Headers, *, host: str, path: str) -> str:
        """Return the subject that the web server in front proves.

        Raises:
            Refused: a check failed; the message says which, and never contains a received value.
        """
        subject = _one(headers, self._rules.subject_header)
        proof = _one(headers, self._rules.proof_header)
        if not SUBJECT.fullmatch(subject):
            raise _not_accepted("the subject is missing or malformed")
        if not self._rules.signed:
            if not hmac.compare_digest(proof.encode(), self._rules.secret().encode()):
                raise _not_accepted("the shared secret is wrong")
            return subject
        signature = SIGNATURE.fullmatch(proof)
        if signature is None:
            raise _not_accepted("its signature is malformed")
        expected = signature_of(
            self._rules.secret(),
            time=int(signature["time"]),
            nonce=signature["nonce"],
            host=host,
            path=path,
            subject=subject,
        )
        if not hmac.compare_digest(expected.encode(), proof.encode()):
            raise _not_accepted("its signature is invalid")
        now = self._clock()
        if abs(now - int(signature["time"])) > self._rules.max_age_s:
            raise _not_accepted("its signature has expired, or the two clocks differ")
        self._take(signature["nonce"], now)
        return subject

    def _take(self, nonce: str, now: float) -> None:
        """Use up a nonce."""
        self._seen = {one: until for one, until in self._seen.items() if until > now}
        if nonce in self._seen:
            raise _not_accepted("its signature was used already")
        if len(self._seen) >= MAX_NONCES:
            raise _not_accepted("too many sign-ins at once")
        self._seen[nonce] = now + 2 * self._rules.max_age_s


def _one(headers: Headers, name: str) -> str:
    values = headers(name)
    if len(values) != 1:
        raise _not_accepted(f"there must be one header {name}")
    return values[0]


def _not_accepted(why: str) -> Refused:
    return Refused(
        f"The sign-in of the web server in front was not accepted: {why}.",
        remedy="Please sign in again. If it happens again, tell the administrators.",
    )
