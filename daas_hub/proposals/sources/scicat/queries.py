"""Conditions of queries in SciCat's (MongoDB's) language. Pure.

SciCat takes them in the address only. A person in hundreds of groups is asked about in several requests: nginx refuses
addresses of more than 8 kB, the backend itself of 16 kB.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from daas_hub.proposals.fields import values_at

#: Proposals per request.
PAGE = 100

#: SciCat's names of our columns. MongoDB sorts lists by the latest item descending, by the earliest ascending.
ORDERS = {"id": "proposalId", "title": "title", "latest": "MeasurementPeriodList.start"}
#: The fields that are searched for words.
_SEARCHED = ("proposalId", "title", "abstract", "MeasurementPeriodList.instrument")
#: The fields with instruments: their names or their ids.
_INSTRUMENTS = ("instrumentIds", "MeasurementPeriodList.instrument")
#: Instruments whose names have a word of a search.
_MAX_FOUND_INSTRUMENTS = 50


@dataclass(frozen=True)
class Whose:
    """Which proposals are a person's: those with one of their groups, or one of the instruments they are staff of.

    Attributes:
        fields: of a proposal, with names of groups.
        instruments: ids and names.
    """

    fields: tuple[str, ...]
    groups: tuple[str, ...]
    instruments: tuple[str, ...] = ()

    def batches(self, max_length: int) -> Iterator[Whose]:
        """Yield the same in parts whose conditions take at most `max_length` characters of an address."""
        of_groups = [(name, len(self.fields) * _length(name)) for name in self.groups]
        for names in _filled(of_groups, max_length):
            yield Whose(self.fields, tuple(names))
        of_instruments = [(name, len(_INSTRUMENTS) * _length(name)) for name in self.instruments]
        for names in _filled(of_instruments, max_length):
            yield Whose(self.fields, (), tuple(names))

    def condition(self) -> dict[str, Any]:
        """Return the condition of a query."""
        wanted: list[dict[str, Any]] = []
        if self.groups:
            wanted += [{field: {"$in": list(self.groups)}} for field in self.fields]
        if self.instruments:
            wanted += [{field: {"$in": list(self.instruments)}} for field in _INSTRUMENTS]
        return {"$or": wanted}

    def has(self, record: Any) -> bool:
        """Return whether a proposal is theirs, whatever SciCat says."""
        return self.has_group_of(record) or self.has_instrument_of(record)

    def has_instrument_of(self, record: Any) -> bool:
        """Return whether they are staff of an instrument of a proposal."""
        return not self._instrument_set.isdisjoint(_texts(record, _INSTRUMENTS))

    def has_group_of(self, record: Any) -> bool:
        """Return whether a proposal is theirs by a group."""
        return not self._group_set.isdisjoint(_texts(record, self.fields))

    @cached_property
    def _group_set(self) -> frozenset[str]:
        return frozenset(self.groups)

    @cached_property
    def _instrument_set(self) -> frozenset[str]:
        return frozenset(self.instruments)


def _texts(record: Any, fields: Sequence[str]) -> set[str]:
    return {value for field in fields for value in values_at(record, field) if isinstance(value, str)}


def _length(name: str) -> int:
    return len(quote(json.dumps(name) + ",", safe=""))


def _filled(names: list[tuple[str, int]], max_length: int) -> Iterator[list[str]]:
    batch: list[str] = []
    used = 0
    for name, length in names:
        if batch and used + length > max_length:
            yield batch
            batch, used = [], 0
        batch.append(name)
        used += length
    if batch:
        yield batch


def query(document: Any) -> str:
    """Return a document as a parameter of an address, in as few characters as possible."""
    return json.dumps(document, separators=(",", ":"))


def condition_of(whose: Whose, more: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the condition for a person's proposals that fulfil all the others."""
    return {"$and": [whose.condition(), *more]} if more else whose.condition()


def with_word(word: str, instruments: Mapping[str, str]) -> dict[str, Any]:
    """Return the condition that a proposal has this word somewhere; `instruments` are names by id."""
    pattern = {"$regex": re.escape(word), "$options": "i"}
    conditions: list[dict[str, Any]] = [{field: pattern} for field in _SEARCHED]
    found = [pid for pid, name in instruments.items() if word.casefold() in name.casefold()]
    if found:
        conditions += [{field: {"$in": found[:_MAX_FOUND_INSTRUMENTS]}} for field in _INSTRUMENTS]
    return {"$or": conditions}


def called(proposal_id: str) -> dict[str, Any]:
    """Return the condition that a proposal has this id, ignoring case."""
    return {"proposalId": {"$regex": f"^{re.escape(proposal_id)}$", "$options": "i"}}
