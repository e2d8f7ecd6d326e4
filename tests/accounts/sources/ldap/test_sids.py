"""Numbers from security identifiers: winbind's and SSSD's algorithms, with what those programs calculate."""

from __future__ import annotations

import ctypes
import ctypes.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.accounts.sources.ldap.sids import (
    SSSD_RANGE,
    RidMapping,
    Sid,
    SssdMapping,
    murmurhash3,
    sid_bytes,
    sid_of,
)
from tests.not_tried import missing

DOMAIN = "S-1-5-21-1004336348-1177238915-682003330"
#: as [MS-DTYP] and every domain controller write it
WRITTEN = bytes.fromhex("010500000000000515000000dcf4dc3b833d2b4682 8ba62800020000".replace(" ", ""))


def test_a_security_identifier_as_it_is_written() -> None:
    assert sid_of(WRITTEN) == Sid(DOMAIN, 512)
    assert sid_bytes(Sid(DOMAIN, 512)) == WRITTEN


@pytest.mark.parametrize(
    "value",
    [
        b"",
        WRITTEN[:-1],
        WRITTEN + b"\0",
        b"\x02" + WRITTEN[1:],
        bytes.fromhex("01020000000000052000000020020000"),
        bytes.fromhex("010100000000000100000000"),
        b"S-1-5-21-1-2-3-512",
    ],
    ids=["nothing", "cut off", "too long", "another revision", "S-1-5-32-544", "everyone", "text"],
)
def test_what_is_none_of_a_domain(value: bytes) -> None:
    with pytest.raises(ValueError, match="is not a security identifier"):
        sid_of(value)


PARTS = st.integers(0, 2**32 - 1)


@given(PARTS, PARTS, PARTS, PARTS)
def test_an_identifier_survives_its_written_form(one: int, two: int, three: int, rid: int) -> None:
    sid = Sid(f"S-1-5-21-{one}-{two}-{three}", rid)
    assert sid_of(sid_bytes(sid)) == sid


def test_idmap_rid() -> None:
    """idmap_rid(8): ID = RID + LOW_RANGE_ID, for BASE_RID = 0."""
    assert RidMapping(100_000).number_of(Sid(DOMAIN, 1103)) == 101_103
    assert RidMapping(100_000, DOMAIN).number_of(Sid(DOMAIN, 513)) == 100_513
    with pytest.raises(ValueError, match="no numbers here"):
        RidMapping(100_000, "S-1-5-21-1-2-3").number_of(Sid(DOMAIN, 513))


@pytest.mark.parametrize(
    ("key", "seed", "value"),
    [(b"", 0, 0), (b"", 1, 0x514E28B7), (b"test", 0x9747B28C, 0x704B81DC), (b"Hello, world!", 0x9747B28C, 0x24884CBA)],
)
def test_the_hash(key: bytes, seed: int, value: int) -> None:
    """Published test vectors of MurmurHash3_x86_32."""
    assert murmurhash3(key, seed) == value


def test_the_first_slice_is_the_default_domains() -> None:
    assert SssdMapping(default_domain=DOMAIN).number_of(Sid(DOMAIN, 1103)) == 201_103
    with pytest.raises(ValueError, match="RID 200000"):
        SssdMapping().number_of(Sid(DOMAIN, 200_000))


@pytest.mark.parametrize("domain", [DOMAIN, "S-1-5-21-1-2-3", "S-1-5-21-3623811015-3361044348-30300820"])
@pytest.mark.parametrize("rid", [500, 513, 1103, 199_999])
def test_numbers_as_sssd_itself_calculates_them(domain: str, rid: int) -> None:
    """Asks SSSD's own library (libsss-idmap0), as its LDAP provider does."""
    name = ctypes.util.find_library("sss_idmap")
    if name is None:
        missing("sss-idmap", "SSSD's library (the Debian package libsss-idmap0) is not installed")
    library = ctypes.CDLL(name)
    context = ctypes.c_void_p()
    assert library.sss_idmap_init(None, None, None, ctypes.byref(context)) == 0
    try:
        low, high, size = SSSD_RANGE
        for setter, value in (("lower", low), ("upper", high), ("rangesize", size)):
            assert getattr(library, f"sss_idmap_ctx_set_{setter}")(context, ctypes.c_uint32(value)) == 0
        slice_number, chosen = ctypes.c_uint32(2**32 - 1), (ctypes.c_uint32 * 2)()
        assert library.sss_idmap_calculate_range(context, domain.encode(), ctypes.byref(slice_number), chosen) == 0
        assert library.sss_idmap_add_domain(context, b"ad", domain.encode(), chosen) == 0
        number = ctypes.c_uint32()
        assert library.sss_idmap_sid_to_unix(context, f"{domain}-{rid}".encode(), ctypes.byref(number)) == 0
    finally:
        library.sss_idmap_free(context)
    assert SssdMapping().number_of(Sid(domain, rid)) == number.value
