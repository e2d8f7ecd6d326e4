"""Whether a login qualifies for an elevated role, by its age, second factor and network. Pure.

Groups and claims give roles (see `roles`); these rules withhold them. A missing claim does not qualify.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daas_hub.accounts.json_values import strings_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The roles that need such a login.
ELEVATED = frozenset({"admin"})


@dataclass(frozen=True)
class ElevationRules:
    """What an elevated role needs in addition to its group or claim; empty rules need nothing.

    Attributes:
        hours: maximum age of the sign-in; 0 for no limit.
        acr, amr: one of these values must be in the id_token, in either claim.
        networks: the login must come from one of them.
    """

    hours: float = 0.0
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.hours or self.acr or self.amr or self.networks)


@dataclass(frozen=True)
class Proof:
    """Evidence of a login, from its id_token and its connection; a refresh does not renew it.

    Attributes:
        signed_in_at: when the person authenticated at the provider, in seconds since 1970; 0 if unknown.
        login_at: when the person signed in to the portal.
        address: the client's IP address; "" if unknown.
    """

    signed_in_at: float = 0.0
    acr: str = ""
    amr: frozenset[str] = field(default_factory=frozenset)
    address: str = ""
    login_at: float = 0.0

    def as_state(self) -> dict[str, Any]:
        """Return the dictionary that is stored with the login."""
        state = {"acr": self.acr, "amr": sorted(self.amr), "address": self.address}
        return state | {"at": self.signed_in_at, "login_at": self.login_at}

    @classmethod
    def from_state(cls, state: object) -> Proof:
        """Return the proof of `as_state`; an empty one if the state has none."""
        if not isinstance(state, Mapping):
            return cls()
        return cls(
            _time(state.get("at")),
            _text(state.get("acr")),
            strings_of(state.get("amr")),
            _text(state.get("address")),
            _time(state.get("login_at")),
        )

    def is_older(self, hours: float, now: float) -> bool:
        """Return whether the sign-in is older than `hours`; 0 is no limit."""
        return bool(hours) and not 0 <= now - self.signed_in_at <= hours * 3600


def proof_of(id_token: Mapping[str, Any], address: str, now: float) -> Proof:
    """Return the proof of a login that has just happened. Without `auth_time`, the sign-in counts as now."""
    at = min(_time(id_token.get("auth_time")) or now, now)
    return Proof(at, _text(id_token.get("acr")), strings_of(id_token.get("amr")), address, now)


@dataclass(frozen=True)
class Elevation:
    """The remaining roles, and what the login lacks for the others, as sentences for the user; () for nothing.

    Attributes:
        over: the login qualified before and is now too old.
        again: signing in again at the provider, as requested by `step_up`, would help.
    """

    roles: frozenset[str]
    missing: tuple[str, ...] = ()
    over: bool = False
    again: bool = False


def step_up(rules: ElevationRules) -> dict[str, str]:
    """Return the parameters that request a new sign-in with one of the factors from a provider."""
    return {"max_age": "0"} | ({"acr_values": " ".join(rules.acr)} if rules.acr else {})


def elevate(rules: ElevationRules, roles: frozenset[str], proof: Proof, now: float) -> Elevation:
    """Return which of the roles this login may have."""
    if not rules or not roles & ELEVATED:
        return Elevation(roles)
    old = proof.is_older(rules.hours, now)
    factor = bool(rules.acr or rules.amr) and proof.acr not in rules.acr and not proof.amr & set(rules.amr)
    away = bool(rules.networks) and not is_within(proof.address, rules.networks)
    missing = [
        *([f"a sign-in within the last {rules.hours:g} hours"] if old else []),
        *(["a second factor at the sign-in"] if factor else []),
        *(["a sign-in from the facility's own network"] if away else []),
    ]
    left = roles - ELEVATED if missing else roles
    # it was given at the login, and has expired now
    over = old and proof.login_at > 0 and not proof.is_older(rules.hours, proof.login_at) and len(missing) == 1
    return Elevation(left, tuple(missing), over=over, again=old or factor)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Return whether an address is in one of the networks; an invalid one is in none."""
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        return False
    return any(found.version == one.version and found in one for one in networks)


def plain_address(address: str) -> str:
    """Return the IPv4 address of an IPv4-mapped IPv6 address; anything else unchanged."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def client_address(peer: str, forwarded: Sequence[str], trusted: frozenset[str]) -> str:
    """Return the client address of a request; "" if it is unknown.

    X-Forwarded-For is used only if the peer is the hub's own proxy, on this machine or in `trusted`. That proxy adds
    the last entry; an earlier one counts only if all entries after it are `trusted`. X-Real-IP is ignored, because
    any client can send it.

    Args:
        peer: the other end of the connection.
        forwarded: every X-Forwarded-For of the request.
    """
    peer = plain_address(peer)
    if not _is_address(peer):
        return ""
    if peer not in trusted and not ipaddress.ip_address(peer).is_loopback:
        return peer
    for entry in reversed([plain_address(one.strip()) for line in forwarded for one in line.split(",")]):
        if not _is_address(entry):
            return ""
        if entry not in trusted:
            return entry
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _time(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
