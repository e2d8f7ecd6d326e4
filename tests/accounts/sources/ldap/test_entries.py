"""What a directory's entries mean, without a server: exactly the same, missing, or twice (B1, B4, C1)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.accounts.model import AccountFields
from daas_hub.accounts.sources.ldap.connection import ServerRefused, _result_of
from daas_hub.accounts.sources.ldap.entries import (
    Entry,
    SearchResult,
    account_of_entries,
    assertions_of,
    escape,
    require_exact,
    single_entry,
)
from daas_hub.errors import AccountRefused, NoAccount, SourceUnavailable

ATTRIBUTES = AccountFields("uid", "uidNumber", "gidNumber", group_name="cn", group_gid="gidNumber")
ANNA: dict[str, list[bytes]] = {"uid": [b"anna"], "uidnumber": [b"25001"], "gidnumber": [b"25001"]}
NO_NUMBERS = [b"", b"-1", b"+1", b"025001", b" 25001", b"0x3e8", b"25001.0", b"1e4", b"25001\n"]
NO_NUMBERS += ["１０００".encode(), b"1" * 11, b"\xff"]


def entry(**changes: list[bytes]) -> Entry:
    return Entry("cn=anna", ANNA | changes)


def test_a_part_of_an_attributes_values_is_not_all_of_them() -> None:
    """Active Directory returns 1,500 values at a time; ldap3 fetches the rest, or leaves the range in the name."""
    response = [{"type": "searchResEntry", "dn": "CN=anna", "raw_attributes": {"memberOf;range=0-1499": [b"CN=a"]}}]
    with pytest.raises(ServerRefused, match=r"memberof;range=0-1499 of CN=anna is incomplete"):
        _result_of(response, 0, ())


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_escaped_value_means_itself_and_ends_no_filter(text: str) -> None:
    """RFC 4515: whatever a person chose, it stays one value."""
    written = escape(text)
    assert re.fullmatch(r"(?:[A-Za-z0-9]|\\[0-9a-f]{2})*", written)
    assert re.sub(rb"\\([0-9a-f]{2})", lambda m: bytes.fromhex(m[1].decode()), written.encode()) == text.encode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"uidnumber": []}, "0 values of uidNumber", id="B2 no uid"),
        pytest.param({"gidnumber": []}, "0 values of gidNumber", id="B2 no gid"),
        pytest.param({"uidnumber": [b"25001", b"25002"]}, "2 values of uidNumber", id="B4 two uids"),
        pytest.param({"uid": [b"anna", b"ben"]}, "2 values of uid", id="B4 two names"),
        *(
            pytest.param({"uidnumber": [number]}, "uidNumber is not a number", id=f"B1 {number!r}")
            for number in NO_NUMBERS
        ),
        pytest.param({"uid": [b"\xff"]}, "uid is not printable text", id="a name that is no text"),
        pytest.param({"uid": [b"anna\n"]}, "uid is not printable text", id="a name with a new line"),
    ],
)
def test_entries_that_cannot_be_used(changes: dict[str, list[bytes]], words: str) -> None:
    with pytest.raises(AccountRefused, match=words):
        account_of_entries(entry(**changes), (), ATTRIBUTES)


@pytest.mark.parametrize("number", [b"zero", b"26001 "])
def test_a_group_with_an_invalid_gid_refuses_the_account(number: bytes) -> None:
    group = Entry("cn=ma", {"cn": [b"ma"], "gidnumber": [number]})
    with pytest.raises(AccountRefused, match="gidNumber"):
        account_of_entries(entry(), [group], ATTRIBUTES)


def test_single_entry() -> None:
    one, other = entry(), Entry("cn=ben", ANNA)
    assert single_entry(SearchResult((one,))) is one
    for found, error in (
        (SearchResult(()), NoAccount),
        (SearchResult((one, other)), AccountRefused),
        (SearchResult((one, other), complete=False), AccountRefused),
        (SearchResult((one,), complete=False), SourceUnavailable),
        (SearchResult((one,), referrals=("ldap://other",)), SourceUnavailable),
        (SearchResult((), referrals=("ldap://other",)), SourceUnavailable),
    ):
        with pytest.raises(error):
            single_entry(found)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_only_the_same_letters_are_the_same_person(subject: str) -> None:
    """C1."""
    pairs = assertions_of("(&(objectClass=posixAccount)(uid={subject}))")
    try:
        require_exact(entry(), pairs, {"subject": subject})
    except NoAccount:
        assert subject != "anna"
    else:
        assert subject == "anna"


def test_each_condition_is_compared() -> None:
    pairs = assertions_of("(&(uid={subject})(labeledURI={issuer}#x))")
    assert pairs == (("uid", "{subject}"), ("labeledURI", "{issuer}#x"))
    values = {"subject": "anna", "issuer": "https://i"}
    good = entry(labeleduri=[b"other", b"https://i#x"])
    assert require_exact(good, pairs, values) is good
    for bad in (entry(), entry(labeleduri=[b"https://I#x"]), entry(uid=[b"Anna"], labeleduri=[b"https://i#x"])):
        with pytest.raises(NoAccount):
            require_exact(bad, pairs, values)
