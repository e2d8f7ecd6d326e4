"""What an authenticator keeps of a login's claims; the walk of a whole login is tests/hub."""

from __future__ import annotations

from daas_hub.authenticators.umbrella import MAX_CLAIM_BYTES, kept_claims


def test_only_claims_that_are_read_are_kept() -> None:
    """ES20: what nothing reads is not at rest anywhere, encrypted or not."""
    told = {"sub": "4711", "email": "anna@example.org", "uidNumber": 25001, "groups": ["a"]}
    assert kept_claims(told, frozenset({"uidNumber", "groups", "absent"})) == {"uidNumber": 25001, "groups": ["a"]}
    assert kept_claims(told, frozenset()) == {}


def test_a_claim_as_large_as_a_flood_is_not_kept() -> None:
    told = {"groups": ["x" * 100] * 1000, "few": ["x" * 100] * 10}
    assert set(kept_claims(told, frozenset(told))) == {"few"}
    assert kept_claims({"text": "x" * MAX_CLAIM_BYTES}, frozenset({"text"})) == {}
