"""Compares what an administrator set with the form that Kubernetes gives it, at every level: names of fields and types.

The types are those of the client library, so that a misspelt field is a sentence when the hub starts, and not a refusal
of every session by the API server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubernetes_asyncio import client

_LIST = re.compile(r"list\[(.+)\]")
_MAP = re.compile(r"dict\(str, (.+)\)")
_PLAIN: Mapping[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "int": (int, "a whole number"),
    "bool": (bool, "true or false"),
}
#: Fields with amounts, which may be numbers as well: 5 and "5Gi".
_AMOUNTS = re.compile(r".*(?:\.sizeLimit|\.(?:limits|requests)\[[^]]*\])")


def form_problems(value: Any, kind: str, path: str = "") -> Iterator[str]:
    """Yield what of a value has not the form of a type: "tolerations[0].tolerationSeconds is not a whole number".

    Args:
        kind: the type as the library writes it: "list[V1Toleration]".
        path: where the value is.
    """
    if value is None:
        return
    if of_items := _LIST.fullmatch(kind):
        if isinstance(value, list | tuple):
            yield from _of_items(((f"{path}[{number}]", one) for number, one in enumerate(value)), of_items[1])
        else:
            yield f"{path} is not a list"
    elif of_values := _MAP.fullmatch(kind):
        if isinstance(value, Mapping):
            yield from _of_items(((f"{path}[{name}]", one) for name, one in value.items()), of_values[1])
        else:
            yield f"{path} is not a map"
    elif kind in _PLAIN:
        wanted, words = _PLAIN[kind]
        is_amount = kind == "str" and isinstance(value, int | float) and _AMOUNTS.fullmatch(path)
        if not is_amount and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            yield f"{path} is not {words}"
    elif (model := getattr(client, kind, None)) is not None:
        yield from _of_object(value, model, path)


def _of_items(items: Iterable[tuple[str, Any]], kind: str) -> Iterator[str]:
    """Yield what is wrong with items, each with its path; nothing is no item, as it would be of a field."""
    for path, one in items:
        if one is None:
            yield f"{path} is empty"
        else:
            yield from form_problems(one, kind, path)


def _of_object(value: Any, model: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path} is not a map"
        return
    fields = {written: model.openapi_types[name] for name, written in model.attribute_map.items()}
    for name, one in value.items():
        at = f"{path}.{name}".lstrip(".")
        if name in fields:
            yield from form_problems(one, fields[name], at)
        else:
            yield f"{at} is no field of Kubernetes"
