"""What a directory's answer to a bind says: Active Directory's codes and password policies, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.accounts.sources.ldap.bind_result import PASSWORD_EXPIRED, PASSWORD_POLICY, BindResult, bind_result


def ad(code: str) -> str:
    """Return a message as Active Directory writes it."""
    return f"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {code}, v4563\0"


def policy(error: int, warning: bytes = b"") -> dict[str, Any]:
    """Return a password policy's control with an error, and a warning before it."""
    content = warning + bytes([0x81, 1, error])
    return {PASSWORD_POLICY: bytes([0x30, len(content)]) + content}


EXPIRING = b"\xa0\x03\x80\x01\x05"

TABLE = {
    "correct": (0, "", {}, True, "", False),
    "correct, and expires soon": (0, "", {PASSWORD_POLICY: b"\x30\x05" + EXPIRING}, True, "", False),
    "wrong": (49, "", {}, False, "", False),
    "AD: wrong": (49, ad("52e"), {}, False, "wrong password", False),
    "AD: nobody": (49, ad("525"), {}, False, "no such user", False),
    "AD: hours": (49, ad("530"), {}, False, "outside of logon hours", True),
    "AD: workstation": (49, ad("531"), {}, False, "not from this workstation", True),
    "AD: password expired": (49, ad("532"), {}, False, "password expired", True),
    "AD: disabled": (49, ad("533"), {}, False, "disabled", True),
    "AD: account expired": (49, ad("701"), {}, False, "account expired", True),
    "AD: must change": (49, ad("773"), {}, False, "password must be changed", True),
    "AD: locked, whatever the password": (49, ad("775"), {}, False, "locked", False),
    "AD: unknown": (49, ad("999"), {}, False, "data 999", False),
    "ppolicy: expired": (49, "", policy(0), False, "password expired", True),
    "ppolicy: locked, whatever the password": (49, "", policy(1), False, "locked", False),
    "ppolicy: must change, after a bind that succeeds": (
        0,
        "",
        policy(2, EXPIRING),
        False,
        "password must be ch",
        True,
    ),
    "ppolicy: must change": (49, "", policy(2), False, "password must be changed", True),
    "ppolicy: another error": (49, "", policy(7), False, "", False),
    "389: expired": (49, "", {PASSWORD_EXPIRED: b"0"}, False, "password expired", True),
    "389: must change": (0, "", {PASSWORD_EXPIRED: b"0"}, False, "password must be changed", True),
    "389: locked": (19, "Exceed password retry limit. Please try later.", {}, False, "locked", False),
    "389: inactivated": (53, "Account inactivated.", {}, False, "the directory is unwilling", False),
    "the words of an error in a success": (0, ad("533"), {}, True, "", False),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_answer(name: str) -> None:
    code, message, controls, accepted, reason, is_shown = TABLE[name]
    result = bind_result(code, message, controls)
    assert result.accepted is accepted
    assert result.reason.startswith(reason)
    assert bool(result.reason) == bool(reason)
    assert bool(result.shown) is is_shown, "shown only if the directory gives it for correct passwords alone"


@given(st.binary(max_size=40), st.sampled_from([0, 49]))
def test_a_control_that_cannot_be_read_says_nothing(value: bytes, code: int) -> None:
    result = bind_result(code, "", {PASSWORD_POLICY: value})
    assert isinstance(result, BindResult)
    assert not result.accepted or code == 0
