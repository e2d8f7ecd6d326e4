"""The one reader of JSON that others wrote: what it accepts means the same to every reader (RFC 8259, I-JSON). Pure."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from daas_hub.services import outside_text

#: An escape that may be half a character; UTF-8 cannot express one, and readers replace it differently.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class InvalidJSON(ValueError):
    """The text is not JSON, or two readers could understand it differently."""


def loads(text: bytes | str, *, replace_surrogates: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        replace_surrogates: put U+FFFD in place of halves of surrogate pairs instead of refusing the text: one title
            that a catalogue cut in the middle of a character must not make all its records unusable.

    Raises:
        InvalidJSON: it is not JSON in UTF-8, repeats a key in an object, nests too deep, or has a number or a character
            that does not exist (NaN, 1e999, half a surrogate pair).
    """
    try:
        decoded = text if isinstance(text, str) else text.decode()
        value = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if _SURROGATE.search(decoded):
            if replace_surrogates:
                value = outside_text.encodable_document(value)
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise InvalidJSON("it nests too deep") from None
    except InvalidJSON:
        raise
    except ValueError as error:
        raise InvalidJSON(f"it is not JSON in UTF-8 ({type(error).__name__})") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidJSON("an object has a key twice")
    return found


def _no_constant(name: str) -> Any:
    raise InvalidJSON(f"{name} is not a number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidJSON("a number is too large")
    return number
