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
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from daas_hub.errors import Refused


class NoSubject(Refused):
    """The web server in front has proved itself, and names nobody."""

    reason = "attribute"


class UnusableSubject(NoSubject):
    """The web server in front has proved itself; what it sends as the subject is not one."""


#: A subject in a header. No space and no comma: web servers join two headers of the same name with them.
SUBJECT = re.compile(r"[A-Za-z0-9@._:+/=!-]{1,255}")
#: The kinds of proof.
SECRET, SIGNED = "secret", "signature"
#: How web servers send an attribute that a person does not have.
NOBODY = ("", "(null)")
SIGNATURE = re.compile(r"t=(?P<time>[0-9]{1,12}),n=(?P<nonce>[A-Za-z0-9_-]{16,64}),s=(?P<sum>[0-9a-f]{64})")
#: Number of nonces remembered; only somebody who knows the secret can reach it.
MAX_NONCES = 20_000

Network = IPv4Network | IPv6Network
#: Returns every value of a header.
Headers = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class ProofRules:
    """Which proofs are accepted.

    Attributes:
        secret: returns the shared secret, read each time, so that it can be replaced without a restart.
        proof: the only kind that is accepted; "" for either.
        web_servers: networks that may send the secret itself. A signature may come from anywhere.
        max_age_s: maximum age of a signature, and maximum difference between the two clocks.
    """

    secret: Callable[[], str] = field(repr=False)
    proof: str = ""
    web_servers: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1"))
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

    def subject_of(self, headers: Headers, *, host: str, path: str, peer: str = "") -> str:
        """Return the subject that the web server in front proves.

        Args:
            peer: address of the client of the portal's own proxy.

        Raises:
            NoSubject: the proof is valid, and there is no subject.
            Refused: a check failed; the message says which, and never contains a received value.
        """
        subject = _one(headers, self._rules.subject_header, or_none=True)
        proof = _one(headers, self._rules.proof_header)
        signature = SIGNATURE.fullmatch(proof)
        if self._rules.proof == SIGNED or (signature is not None and self._rules.proof != SECRET):
            self._require_signature(signature, host=host, path=path, subject=subject)
        else:
            self._require_secret(proof, peer)
        if subject in NOBODY:
            raise NoSubject("The web server in front names nobody.")
        if not SUBJECT.fullmatch(subject):
            raise UnusableSubject("The subject has several values, or characters that no identifier has.")
        return subject

    def _require_secret(self, proof: str, peer: str) -> None:
        """Check the secret itself, and where it comes from."""
        if not hmac.compare_digest(proof.encode(), self._rules.secret().encode()):
            raise _not_accepted("the shared secret is wrong")
        if not _is_in(peer, self._rules.web_servers):
            raise _not_accepted(f"{peer or 'its address'} is not one of the web_servers that may send the secret")

    def _require_signature(self, signature: re.Match[str] | None, *, host: str, path: str, subject: str) -> None:
        """Check a signature, and use it up."""
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
        if not hmac.compare_digest(expected.encode(), signature[0].encode()):
            raise _not_accepted("its signature is invalid")
        now = self._clock()
        if abs(now - int(signature["time"])) > self._rules.max_age_s:
            raise _not_accepted("its signature has expired, or the two clocks differ")
        self._take(signature["nonce"], now)

    def _take(self, nonce: str, now: float) -> None:
        """Use up a nonce."""
        self._seen = {one: until for one, until in self._seen.items() if until > now}
        if nonce in self._seen:
            raise _not_accepted("its signature was used already")
        if len(self._seen) >= MAX_NONCES:
            raise _not_accepted("too many sign-ins at once")
        self._seen[nonce] = now + 2 * self._rules.max_age_s


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in networks)


def _one(headers: Headers, name: str, *, or_none: bool = False) -> str:
    values = headers(name)
    if or_none and not values:
        return ""
    if len(values) != 1:
        raise _not_accepted(f"there must be one header {name}")
    return values[0]


def _not_accepted(why: str) -> Refused:
    return Refused(
        f"The sign-in of the web server in front was not accepted: {why}.",
        remedy="Please sign in again. If it happens again, tell the administrators.",
    )
