"""How a web server in front proves that it, and no client, says who somebody is: a shared secret, or a signature by it.

A header alone proves nothing: whoever can reach the hub can send one, and the predecessor believed it. Pure but for the
clock, which is given.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from daas_hub.errors import Refused

#: A subject as it may come in a header. No blank and no comma: web servers join two headers of one name with them.
SUBJECT = re.compile(r"[A-Za-z0-9@._:+/=!-]{1,255}")
SIGNATURE = re.compile(r"t=(?P<time>[0-9]{1,12}),n=(?P<nonce>[A-Za-z0-9_-]{16,64}),s=(?P<sum>[0-9a-f]{64})")
#: Nonces that are remembered; only who knows the secret can fill this.
MAX_NONCES = 20_000

#: Gives every value of a header.
Headers = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class ProofRules:
    """What is believed.

    Attributes:
        secret: gives the shared secret, read anew, so that one that is exchanged needs no restart.
        signed: whether a signature is needed, or the secret itself in a header.
        max_age_s: how old a signature may be, and how far the two clocks may be apart.
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
    """Checks what comes, and lets each signature pass once."""

    def __init__(self, rules: ProofRules, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock
        self._seen: dict[str, float] = {}

    def subject_of(self, headers: Headers, *, host: str, path: str) -> str:
        """Return the subject that the web server in front proves.

        Raises:
            Refused: nothing is proved; the text says which check failed, and never a value that came.
        """
        subject = _one(headers, self._rules.subject_header)
        proof = _one(headers, self._rules.proof_header)
        if not SUBJECT.fullmatch(subject):
            raise _no("the subject is missing or malformed")
        if not self._rules.signed:
            if not hmac.compare_digest(proof.encode(), self._rules.secret().encode()):
                raise _no("the shared secret is wrong")
            return subject
        told = SIGNATURE.fullmatch(proof)
        if told is None:
            raise _no("its signature is malformed")
        expected = signature_of(
            self._rules.secret(), time=int(told["time"]), nonce=told["nonce"], host=host, path=path, subject=subject
        )
        if not hmac.compare_digest(expected.encode(), proof.encode()):
            raise _no("its signature is invalid")
        now = self._clock()
        if abs(now - int(told["time"])) > self._rules.max_age_s:
            raise _no("its signature has expired, or the two clocks differ")
        self._take(told["nonce"], now)
        return subject

    def _take(self, nonce: str, now: float) -> None:
        """Use up a nonce."""
        self._seen = {one: until for one, until in self._seen.items() if until > now}
        if nonce in self._seen:
            raise _no("its signature was used already")
        if len(self._seen) >= MAX_NONCES:
            raise _no("too many sign-ins at once")
        self._seen[nonce] = now + 2 * self._rules.max_age_s


def _one(headers: Headers, name: str) -> str:
    values = headers(name)
    if len(values) != 1:
        raise _no(f"there must be one header {name}")
    return values[0]


def _no(why: str) -> Refused:
    return Refused(
        f"The sign-in of the web server in front was not accepted: {why}.",
        remedy="Please sign in again. If it happens again, tell the administrators.",
    )
