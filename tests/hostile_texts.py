"""Texts as people paste them and as programs cut them, for the tests of everything that reads text from outside."""

from __future__ import annotations

import unicodedata

HOSTILE = {
    "half a character": "cut by the user office: \ud83d",
    "the other half": "\udc80 undecodable byte",
    "a null": "a\0b",
    "escape codes of a terminal": "\x1b[31mred\x1b[0m\x07",
    "lines": "one\r\ntwo\rthree\u2028four\u2029five\x85six",
    "reversed": "invoice\u202egpj.exe",
    "isolates": "\u2066\u2067\u2068a\u2069",
    "without width": "a\u200b\u200b\u2060\ufeffb",
    "no characters": "\uffff\ufdd0\U0010ffff",
    "private": "\ue000\U000f0000",
    "markup": "<script>alert(1)</script>&\"'",
    "templates": "{{ 7 * 7 }} {% raw %} ${x} %s {0}",
    "marks without end": "e" + "\u0301" * 5000,
    "blanks": " \t\u00a0\u3000 ",
    "megabytes": "x" * 300_000,
    "nothing": "",
}


def is_presentable(text: str, max_length: int, *, lines: bool = False) -> bool:
    """Return whether a text can be encoded, is bounded, and has no control characters or marks of direction."""
    text.encode()
    plain = text.replace("\n", "") if lines else text
    hidden = {letter for letter in plain if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return len(text) <= max_length and text == text.strip() and not hidden - {"\u200c", "\u200d"}
