"""Numbers from Active Directory's security identifiers, as winbind or SSSD calculate them. Pure.

The portal must give people the numbers that the storage has, so it offers the two algorithms that a facility's machines
use where people have no uidNumber: idmap_rid of Samba, and the automatic mapping of SSSD.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: SSSD's defaults: ldap_idmap_range_min, _max and _size.
SSSD_RANGE = (200_000, 2_000_200_000, 200_000)
_SSSD_SEED = 0xDEADBEEF


@dataclass(frozen=True)
class Sid:
    """A security identifier of a domain: the domain's own, and the number in it."""

    domain: str
    rid: int


def sid_of(value: bytes) -> Sid:
    """Return an objectSid ([MS-DTYP] 2.4.2.2).

    Raises:
        ValueError: it is something else, or not of a domain (S-1-5-21-...), such as a built-in group's.
    """
    if len(value) < 8 or value[0] != 1 or len(value) != 8 + 4 * value[1]:
        raise ValueError("is not a security identifier")
    authority = int.from_bytes(value[2:8], "big")
    parts = struct.unpack(f"<{value[1]}I", value[8:])
    if authority != 5 or len(parts) != 5 or parts[0] != 21:
        raise ValueError("is not a security identifier of a domain")
    return Sid("S-1-5-" + "-".join(map(str, parts[:-1])), parts[-1])


def sid_bytes(sid: Sid) -> bytes:
    """Return the objectSid of a security identifier."""
    parts = [*map(int, sid.domain.removeprefix("S-1-5-").split("-")), sid.rid]
    return bytes([1, len(parts)]) + (5).to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)


@dataclass(frozen=True)
class RidMapping:
    """Samba's idmap_rid: base + RID, for one domain.

    Attributes:
        base: the lowest number of the domain's `idmap config DOMAIN : range`.
        domain: the domain's identifier; "" for any. Two domains would give the same numbers twice.
    """

    base: int
    domain: str = ""

    def number_of(self, sid: Sid) -> int:
        """Return the uid or gid.

        Raises:
            ValueError: it is of another domain.
        """
        if self.domain and sid.domain != self.domain:
            raise ValueError(f"is of the domain {sid.domain}, which has no numbers here")
        return self.base + sid.rid


@dataclass(frozen=True)
class SssdMapping:
    """SSSD's automatic mapping (ldap_id_mapping): the domain's hash chooses a slice of numbers.

    Attributes:
        default_domain: the identifier of the domain that has the first slice (ldap_idmap_default_domain_sid); "" if
            there is none.
    """

    range_min: int = SSSD_RANGE[0]
    range_max: int = SSSD_RANGE[1]
    range_size: int = SSSD_RANGE[2]
    default_domain: str = ""

    def number_of(self, sid: Sid) -> int:
        """Return the uid or gid.

        Raises:
            ValueError: the number in the domain is beyond the slice; SSSD would use a further one, which depends on
                what it met before.
        """
        if sid.rid >= self.range_size:
            raise ValueError(f"has the RID {sid.rid}, and the range size is {self.range_size}")
        slices = (self.range_max - self.range_min) // self.range_size
        chosen = 0
        if sid.domain != self.default_domain:
            chosen = murmurhash3(sid.domain.encode(), _SSSD_SEED) % slices
        return self.range_min + chosen * self.range_size + sid.rid


IdMapping = RidMapping | SssdMapping


def murmurhash3(key: bytes, seed: int) -> int:
    """Return MurmurHash3_x86_32 of a key, as SSSD calculates it."""
    mask = 0xFFFFFFFF

    def rotated(value: int, bits: int) -> int:
        return ((value << bits) | (value >> (32 - bits))) & mask

    def mixed(block: int) -> int:
        return (rotated((block * 0xCC9E2D51) & mask, 15) * 0x1B873593) & mask

    hashed, whole = seed, len(key) // 4 * 4
    for (block,) in struct.iter_unpack("<I", key[:whole]):
        hashed = (rotated(hashed ^ mixed(block), 13) * 5 + 0xE6546B64) & mask
    if key[whole:]:
        hashed ^= mixed(int.from_bytes(key[whole:], "little"))
    hashed ^= len(key)
    hashed = ((hashed ^ (hashed >> 16)) * 0x85EBCA6B) & mask
    hashed = ((hashed ^ (hashed >> 13)) * 0xC2B2AE35) & mask
    return hashed ^ (hashed >> 16)
