"""When a login is good enough for an elevated role (EL15): every rule by itself, and what is missing denies."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from daas_hub.accounts.elevation import ElevationRules, Proof, client_address, elevate, proof_of, step_up

NOW = 1_800_000_000.0
MFA = "https://refeds.org/profile/mfa"
ROLES = frozenset({"admin", "guide"})
OFFICE = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("2001:db8::/32"))

HOURS = ElevationRules(hours=8)
FACTOR = ElevationRules(acr=(MFA,), amr=("otp", "mfa"))
NETWORK = ElevationRules(networks=OFFICE)
ALL = ElevationRules(8, (MFA,), ("otp",), OFFICE)

CASES: list[tuple[ElevationRules, Proof, bool]] = [
    (ElevationRules(), Proof(), True),
    (HOURS, Proof(NOW), True),
    (HOURS, Proof(NOW - 8 * 3600), True),
    (HOURS, Proof(NOW - 8 * 3600 - 1), False),
    (HOURS, Proof(), False),
    (HOURS, Proof(NOW + 60), False),
    (FACTOR, Proof(NOW), False),
    (FACTOR, Proof(NOW, acr=MFA), True),
    (FACTOR, Proof(NOW, acr=MFA.upper()), False),
    (FACTOR, Proof(NOW, acr="mfa"), False),
    (FACTOR, Proof(NOW, amr=frozenset({"pwd", "otp"})), True),
    (FACTOR, Proof(NOW, amr=frozenset({"pwd"})), False),
    (FACTOR, Proof(NOW, amr=frozenset({MFA})), False),
    (ElevationRules(amr=("otp",)), Proof(NOW, acr=""), False),
    (NETWORK, Proof(NOW, address="10.1.2.3"), True),
    (NETWORK, Proof(NOW, address="::ffff:10.1.2.3"), True),
    (NETWORK, Proof(NOW, address="2001:db8::7"), True),
    (NETWORK, Proof(NOW, address="10.2.0.1"), False),
    (NETWORK, Proof(NOW, address=""), False),
    (NETWORK, Proof(NOW, address="10.1.2.3, 8.8.8.8"), False),
    (NETWORK, Proof(NOW, address="localhost"), False),
    (ALL, Proof(NOW, acr=MFA, address="10.1.0.1"), True),
    (ALL, Proof(NOW, acr=MFA, address="192.0.2.1"), False),
    (ALL, Proof(NOW, address="10.1.0.1"), False),
    (ALL, Proof(0.0, acr=MFA, address="10.1.0.1"), False),
]


@pytest.mark.parametrize(("rules", "proof", "given"), CASES)
def test_a_role_is_given_or_withheld(rules: ElevationRules, proof: Proof, given: bool) -> None:
    found = elevate(rules, ROLES, proof, NOW)
    assert found.roles == (ROLES if given else frozenset({"guide"}))
    assert bool(found.missing) is not given
    # it is the same after it was kept
    assert elevate(rules, ROLES, Proof.from_state(proof.as_state()), NOW) == found


@pytest.mark.parametrize(
    ("rules", "proof", "over"),
    [
        (HOURS, Proof(NOW - 9 * 3600, login_at=NOW - 9 * 3600), True),
        (HOURS, Proof(NOW - 9 * 3600, login_at=NOW - 2 * 3600), True),
        # it was too old at the login, so the role was never given
        (HOURS, Proof(NOW - 9 * 3600, login_at=NOW), False),
        (HOURS, Proof(NOW, login_at=NOW), False),
        (HOURS, Proof(), False),
        (ALL, Proof(NOW - 9 * 3600, address="10.1.0.1", login_at=NOW - 9 * 3600), False),
        (ALL, Proof(NOW - 9 * 3600, MFA, address="10.1.0.1", login_at=NOW - 9 * 3600), True),
        (FACTOR, Proof(NOW, login_at=NOW), False),
    ],
)
def test_a_login_runs_out_only_where_it_gave_a_role(rules: ElevationRules, proof: Proof, over: bool) -> None:
    assert elevate(rules, ROLES, proof, NOW).over is over


def test_what_a_provider_is_asked_for() -> None:
    assert step_up(ALL) == {"max_age": "0", "acr_values": MFA}
    assert step_up(HOURS) == {"max_age": "0"}


@pytest.mark.parametrize("rules", [HOURS, FACTOR, NETWORK, ALL])
def test_who_has_no_elevated_role_notices_nothing(rules: ElevationRules) -> None:
    found = elevate(rules, frozenset({"guide"}), Proof(), NOW)
    assert (found.roles, found.missing, found.over) == (frozenset({"guide"}), (), False)


@pytest.mark.parametrize(
    ("claims", "proof"),
    [
        ({}, Proof(NOW, login_at=NOW)),
        (
            {"auth_time": int(NOW) - 5, "acr": MFA, "amr": ["pwd", 3, "otp"]},
            Proof(NOW - 5, MFA, frozenset({"pwd", "otp"}), login_at=NOW),
        ),
        ({"auth_time": int(NOW) + 9}, Proof(NOW, login_at=NOW)),
        ({"auth_time": True, "acr": [MFA], "amr": {"otp": True}}, Proof(NOW, login_at=NOW)),
        ({"auth_time": str(int(NOW) - 5), "amr": "otp"}, Proof(NOW, amr=frozenset({"otp"}), login_at=NOW)),
    ],
)
def test_what_a_token_says(claims: dict[str, Any], proof: Proof) -> None:
    assert proof_of(claims, "", NOW) == proof


@pytest.mark.parametrize("state", [None, 7, [], {}, {"at": "now", "acr": 1, "amr": 2, "address": 3}, {"at": True}])
def test_what_is_no_proof_proves_nothing(state: object) -> None:
    assert Proof.from_state(state) == Proof()


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("127.0.0.1", ["192.0.2.1"], (), "192.0.2.1"),
        ("::1", ["::ffff:192.0.2.1"], (), "192.0.2.1"),
        # what the client wrote itself stands before what the proxy adds
        ("127.0.0.1", ["10.1.0.1, 192.0.2.1"], (), "192.0.2.1"),
        ("127.0.0.1", ["10.1.0.1", "192.0.2.1"], (), "192.0.2.1"),
        # a process of this machine that writes it is no proxy
        ("127.0.0.1", ["10.1.0.1, 127.0.0.1"], (), "127.0.0.1"),
        ("127.0.0.1", ["10.1.0.1, 127.0.0.1"], ("127.0.0.1",), "10.1.0.1"),
        ("127.0.0.1", ["8.8.8.8, 10.1.0.1, 192.0.2.9"], ("192.0.2.9",), "10.1.0.1"),
        ("192.0.2.7", ["10.1.0.1"], (), "192.0.2.7"),
        ("192.0.2.7", ["10.1.0.1"], ("192.0.2.7",), "10.1.0.1"),
        ("127.0.0.1", [], (), ""),
        ("127.0.0.1", ["10.1.0.1, unknown"], (), ""),
        ("127.0.0.1", [""], (), ""),
        ("", ["10.1.0.1"], (), ""),
    ],
)
def test_where_a_request_came_from(peer: str, forwarded: list[str], trusted: tuple[str, ...], address: str) -> None:
    assert client_address(peer, forwarded, frozenset(trusted)) == address
