"""When a login is good enough for an elevated role: how long ago it was, with which second factor, from where. Pure.

Nothing here gives a role: groups and claims do (`roles`). These rules withhold it, and whatever is not told is missing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daas_hub.accounts.json_values import strings_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The roles that are more than a person's own rights.
ELEVATED = frozenset({"admin"})


@dataclass(frozen=True)
class ElevationRules:
    """What an elevated role needs besides its group or claim; empty rules need nothing.

    Attributes:
        hours: the person signed in at most so long ago; 0 for no limit.
        acr, amr: one of these values stands in the signed token of the login, in either claim.
        networks: the login came from one of them.
    """

    hours: float = 0.0
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.hours or self.acr or self.amr or self.networks)


@dataclass(frozen=True)
class Proof:
    """What is known of a login, from its signed token and its connection; it is never renewed by a refresh.

    Attributes:
        signed_in_at: when the person proved to the provider who it is, in seconds since 1970; 0 if not known.
        login_at: when the portal was told.
        address: where it came from; "" if that is not known.
    """

    signed_in_at: float = 0.0
    acr: str = ""
    amr: frozenset[str] = field(default_factory=frozenset)
    address: str = ""
    login_at: float = 0.0

    def as_state(self) -> dict[str, Any]:
        """Return the form that is kept with the login."""
        told = {"acr": self.acr, "amr": sorted(self.amr), "address": self.address}
        return told | {"at": self.signed_in_at, "login_at": self.login_at}

    @classmethod
    def from_state(cls, state: object) -> Proof:
        """Read `as_state` back; a proof of nothing if it is not one."""
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
        """Return whether the person signed in longer ago than so many hours; 0 is no limit."""
        return bool(hours) and not 0 <= now - self.signed_in_at <= hours * 3600


def proof_of(id_token: Mapping[str, Any], address: str, now: float) -> Proof:
    """Return the proof of a login that was just made. A provider that does not tell when is believed to mean now."""
    at = min(_time(id_token.get("auth_time")) or now, now)
    return Proof(at, _text(id_token.get("acr")), strings_of(id_token.get("amr")), address, now)


@dataclass(frozen=True)
class Elevation:
    """The roles that are left, and what keeps the others away, for the person to read; () if nothing does.

    Attributes:
        over: the login was good for them and is too old now.
        again: signing in anew at the provider, as `step_up` asks for it, would help.
    """

    roles: frozenset[str]
    missing: tuple[str, ...] = ()
    over: bool = False
    again: bool = False


def step_up(rules: ElevationRules) -> dict[str, str]:
    """Return what asks a provider for a sign-in that is good enough: at this moment, with one of the factors."""
    return {"max_age": "0"} | ({"acr_values": " ".join(rules.acr)} if rules.acr else {})


def elevate(rules: ElevationRules, roles: frozenset[str], proof: Proof, now: float) -> Elevation:
    """Decide which of the roles this login may have."""
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
    # it was given at the login, and runs out now
    over = old and proof.login_at > 0 and not proof.is_older(rules.hours, proof.login_at) and len(missing) == 1
    return Elevation(left, tuple(missing), over=over, again=old or factor)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Return whether an address is in one of the networks; what is no address is in none."""
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        return False
    return any(found.version == one.version and found in one for one in networks)


def plain_address(address: str) -> str:
    """Return an IPv4 address that is written as IPv6 in its own form; anything else as it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def client_address(peer: str, forwarded: Sequence[str], trusted: frozenset[str]) -> str:
    """Return where a request came from; "" if that cannot be known.

    Whoever is connected is the hub's own proxy, on this machine or among `trusted`, or nobody's word counts. It tells
    the last entry of X-Forwarded-For; entries before that one count only as far as those after them are `trusted`.
    Anybody can write X-Real-IP, so it is not looked at.

    Args:
        peer: the other end of the connection.
        forwarded: every X-Forwarded-For of the request.
    """
    peer = plain_address(peer)
    if not _is_address(peer):
        return ""
    if peer not in trusted and not ipaddress.ip_address(peer).is_loopback:
        return peer
    for told in reversed([plain_address(one.strip()) for line in forwarded for one in line.split(",")]):
        if not _is_address(told):
            return ""
        if told not in trusted:
            return told
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _time(told: object) -> float:
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) and told > 0 else 0.0


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""
