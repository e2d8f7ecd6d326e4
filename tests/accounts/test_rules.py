"""Which accounts may run a session: every forbidden number and name is refused, none replaced (B1, B2, B6, ES20)."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daas_hub.accounts import Account, AccountRules
from daas_hub.errors import NoAccount

RULES = AccountRules()
ANNA = Account("anna", 25001, 25001, (26001, 26002))


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(ANNA, id="anna"),
        pytest.param(replace(ANNA, uid=1000, gid=1000), id="lowest"),
        pytest.param(replace(ANNA, uid=60_000_000, gid=60_000_000), id="highest"),
        pytest.param(replace(ANNA, name="_svc-1", groups=()), id="a service's name, no groups"),
        pytest.param(replace(ANNA, name="a" * 32), id="longest name"),
        pytest.param(replace(ANNA, groups=tuple(range(2000, 7000))), id="B6 five thousand groups"),
    ],
)
def test_allowed(account: Account) -> None:
    assert RULES.require_allowed(account) is account


NO_IDS: list[Any] = [
    pytest.param(0, id="root"),
    pytest.param(-1, id="minus one"),
    pytest.param(2**32 - 1, id="what chown reads as minus one"),
    pytest.param(65534, id="nobody"),
    pytest.param(65535, id="nobody of old"),
    pytest.param(999, id="below the lowest"),
    pytest.param(60_000_001, id="above the highest"),
    pytest.param(2**32, id="wraps to root"),
    pytest.param(2**32 + 1000, id="wraps to 1000"),
    pytest.param(2**64, id="wider than the kernel"),
    pytest.param(float("nan"), id="not a number"),
    pytest.param(1000.5, id="fraction"),
    pytest.param(25001.0, id="a whole fraction"),
    pytest.param("25001", id="text"),
    pytest.param("0x3e8", id="hexadecimal text"),
    pytest.param("１０００", id="full-width"),
    pytest.param(" 1000", id="blank"),
    pytest.param(True, id="true"),
    pytest.param(None, id="nothing"),
]


@pytest.mark.parametrize("number", NO_IDS)
@pytest.mark.parametrize("field", ["uid", "gid", "groups"])
def test_forbidden_ids(field: str, number: Any) -> None:
    """B1, B6."""
    changed = replace(ANNA, **{field: (26001, number) if field == "groups" else number})
    with pytest.raises(NoAccount, match="group" if field == "groups" else field) as refused:
        RULES.require_allowed(changed)
    assert refused.value.for_user


@pytest.mark.parametrize("number", [0, 65534, 2**32 - 1])
def test_a_wide_range_does_not_let_the_forbidden_in(number: int) -> None:
    """L5: an administrator's range cannot allow root."""
    with pytest.raises(NoAccount):
        AccountRules(min_id=0, max_id=2**33).require_allowed(replace(ANNA, uid=number))


NEVER_NAMES = [
    "",
    ".",
    "..",
    ".ssh",
    "a..b",
    "a..",
    "../x",
    "a/b",
    "/",
    "-",
    "--help",
    "-rf",
    "a:b",
    "root:x:0:0",
    "25001",
    "0",
    "a b",
    "a\tb",
    "a\nb",
    "a\0b",
    "AD\\anna",
    "anna,x",
    "an\u202ena",
    "a" * 129,
]


@pytest.mark.parametrize(
    "name", ["", "an na", "anna\n", "../x", "-anna", "a" * 33, "anna:x", "añna", "a$", *NEVER_NAMES]
)
def test_forbidden_names(name: str) -> None:
    """C2: what would not be a valid Unix user name in passwd, in a path, in a log."""
    with pytest.raises(NoAccount, match="valid Unix user name") as refused:
        RULES.require_allowed(replace(ANNA, name=name))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "name", ["anna.lindqvist", "ALindqvist", "Anna", "1anna", "x500", "a.b-c_d", "_svc", "A", "a."]
)
def test_names_as_directories_have_them(name: str) -> None:
    """What `useradd --badname` and systemd take: capitals, dots, a digit at the beginning."""
    assert RULES.require_allowed(replace(ANNA, name=name)).name == name


@pytest.mark.parametrize("name", NEVER_NAMES)
def test_no_pattern_allows_what_no_name_may_be(name: str) -> None:
    with pytest.raises(NoAccount, match="valid Unix user name"):
        AccountRules(name_pattern=".*").require_allowed(replace(ANNA, name=name))


def test_a_facility_can_narrow_and_widen_the_names() -> None:
    strict = AccountRules(name_pattern="[a-z_][a-z0-9_-]{0,31}")
    assert strict.require_allowed(ANNA)
    for name in ("Anna", "anna.b", "1anna"):
        with pytest.raises(NoAccount):
            strict.require_allowed(replace(ANNA, name=name))
    assert AccountRules(name_pattern="[a-z$@.]{1,64}").require_allowed(
        replace(ANNA, name="anna@facility.org" + "x" * 20)
    )


def test_a_megabyte_of_name_is_not_repeated() -> None:
    with pytest.raises(NoAccount) as refused:
        RULES.require_allowed(replace(ANNA, name="x" * 1_000_000))
    assert len(str(refused.value)) < 400


NUMBERS = st.integers(990, 1010) | st.integers(65_530, 65_540) | st.integers(59_999_990, 60_000_010) | st.integers()


#: nobody and nogroup, in 16 bits and as most systems number them; (uid_t) -1 is out of range anyway
NEVER = (65534, 65535)


@given(NUMBERS, NUMBERS, st.lists(NUMBERS, max_size=3).map(tuple))
@example(65535, 1000, ())
@example(1000, 65534, ())
@example(1000, 1000, (65533, 65535))
@example(60_000_000, 1000, (65536,))
def test_whoever_is_in_range_is_let_in_and_nobody_else(uid: int, gid: int, groups: tuple[int, ...]) -> None:
    in_range = all(1000 <= number <= 60_000_000 and number not in NEVER for number in (uid, gid, *groups))
    with contextlib.nullcontext() if in_range else pytest.raises(NoAccount):
        RULES.require_allowed(Account("anna", uid, gid, groups))
