"""What a directory's answer to a bind says about a password: Active Directory's codes, and password policies. Pure.

A reason is shown to the person only if the directory gives it for correct passwords alone. All others would help to
guess names, and are for the log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The control of draft-behera-ldap-password-policy, 6.1 and 6.2, in requests and in answers.
PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"  # noqa: S105  # an object identifier
#: Netscape's control of an expired password: 389 and its relatives.
PASSWORD_EXPIRED = "2.16.840.1.113730.3.4.4"  # noqa: S105

SUCCESS = 0
#: Wrong, expired, locked, no password, no such entry: the password is not accepted.
REJECTED = (19, 32, 34, 48, 49, 50, 53)


@dataclass(frozen=True)
class BindResult:
    """The answer to a bind with a person's password.

    Attributes:
        reason: what the directory says against it, for the log; "" for nothing.
        shown: the same for the person; "" if it does not prove that the password is correct.
    """

    accepted: bool
    reason: str = ""
    shown: str = ""


_EXPIRED = "Your password has expired."
_MUST_CHANGE = "You must change your password before you can sign in here."
_HELP = {
    "password expired": _EXPIRED,
    "password must be changed": _MUST_CHANGE,
    "disabled": "Your account is disabled in the facility's directory.",
    "account expired": "Your account has expired in the facility's directory.",
    "outside of logon hours": "Your account may not sign in at this time of the day.",
    "not from this workstation": "Your account may not sign in from this portal's machine.",
}
#: `data` of Active Directory's message: (reason, whether it is given for correct passwords alone).
_ACTIVE_DIRECTORY = {
    "525": ("no such user", False),
    "52e": ("wrong password", False),
    "52f": ("restricted", False),
    "530": ("outside of logon hours", True),
    "531": ("not from this workstation", True),
    "532": ("password expired", True),
    "533": ("disabled", True),
    "701": ("account expired", True),
    "773": ("password must be changed", True),
    "775": ("locked", False),
}
#: Errors of the password policy's control: the same.
_POLICY = {0: ("password expired", True), 1: ("locked", False), 2: ("password must be changed", True)}
_DATA = re.compile(r"AcceptSecurityContext error, data ([0-9a-fA-F]+)", re.IGNORECASE)
#: Reasons in the result code: 389 gives them whatever the password ("Exceed password retry limit", "inactivated").
_CODES = {19: "locked", 53: "the directory is unwilling: disabled, or no password may be used"}


def bind_result(code: int, message: str, controls: Mapping[str, Any]) -> BindResult:
    """Return what an answer says about the password.

    Args:
        message: the diagnostic message.
        controls: values of the answer's controls, by their object identifiers.
    """
    accepted = code == SUCCESS
    policy = _policy_error(controls.get(PASSWORD_POLICY))
    if policy in _POLICY and (not accepted or policy != 1):
        return _refused(*_POLICY[policy])
    if PASSWORD_EXPIRED in controls:
        # after a correct password: its owner may do nothing but change it
        return _refused("password must be changed" if accepted else "password expired", is_proved=True)
    if match := _DATA.search("" if accepted else message):
        return _refused(*_ACTIVE_DIRECTORY.get(match[1].lower(), (f"data {match[1].lower()}", False)))
    return _refused(_CODES[code], is_proved=False) if code in _CODES else BindResult(accepted)


def _refused(reason: str, is_proved: bool) -> BindResult:
    return BindResult(accepted=False, reason=reason, shown=_HELP.get(reason, "") if is_proved else "")


def _policy_error(value: object) -> int | None:
    """Return the error in a PasswordPolicyResponseValue; None if it has none, or cannot be read.

    SEQUENCE { warning [0] CHOICE {...} OPTIONAL, error [1] ENUMERATED OPTIONAL }; each has a short length.
    """
    if not isinstance(value, bytes) or len(value) < 2 or value[0] != 0x30:
        return None
    place = 2
    while place + 2 <= len(value):
        tag, length = value[place], value[place + 1]
        content = value[place + 2 : place + 2 + length]
        if tag == 0x81 and len(content) == 1:
            return content[0]
        place += 2 + length
    return None
