"""YAML files become checked records, or an error that names file, line and reason.

One reader for every file an administrator writes (accounts, proposals, applications). The shape of a file is a
pydantic model; this module only adds what pydantic does not know: the line, and refusing duplicate keys (YAML's
silent "the last one wins" has hidden more than one wrong uid).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from daas_hub.errors import DocumentError

#: Larger files are refused: nobody writes a megabyte by hand, and YAML is slow.
MAX_BYTES = 4_000_000

Lines = dict[tuple[Any, ...], int]


class Document(BaseModel):
    """Base of the models of files: unknown keys are errors, types are exact (no "1000" for a uid), values are final."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Document = TypeVar("_Document", bound=Document)


def read_document(path: Path, model: type[_Document]) -> _Document:
    """Read one YAML file into `model`.

    Raises:
        DocumentError: with the line (counted from 1) of the first problem.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DocumentError(str(path), 1, f"the file is larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DocumentError(str(path), 0, "there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(str(path), 0, f"cannot be read: {error}") from error
    content, lines = _parse(path, text)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {first['msg']}" if where else first["msg"]
        raise DocumentError(str(path), _line_of(first["loc"], lines), message) from None


def _parse(path: Path, text: str) -> tuple[Any, Lines]:
    """Return the content of the text and the line of each of its keys and items."""
    lines: Lines = {(): 1}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise DocumentError(str(path), 1, "the file is empty")
        # written out, a file has at most a node a letter: more of them come from aliases of aliases
        _walk(path, node, (), lines, most=max(len(text), 1000))
        return yaml.safe_load(text), lines
    except DocumentError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(str(path), mark.line + 1 if mark else 1, f"not YAML: {error.problem}") from None
    except Exception as error:  # a value that is none of its tag (!!int '') fails in PyYAML in many ways
        raise DocumentError(str(path), 1, f"not YAML: {type(error).__name__}: {error}") from None


def _walk(path: Path, node: yaml.Node, where: tuple[Any, ...], lines: Lines, most: int) -> None:
    line = node.start_mark.line + 1
    if len(where) > 20:
        raise DocumentError(str(path), line, "nested deeper than 20 levels")
    if len(lines) > most + 1:
        raise DocumentError(str(path), line, "its aliases repeat one another without end")
    lines.setdefault(where, line)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise DocumentError(str(path), key.start_mark.line + 1, f"duplicate key {name!r}")
            seen.add(name)
            lines[(*where, name)] = key.start_mark.line + 1
            _walk(path, value, (*where, name), lines, most)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(path, item, (*where, index), lines, most)


def _line_of(where: tuple[Any, ...], lines: Lines) -> int:
    """Return the line of the deepest part of `where` that is in the file (a missing key has no line of its own)."""
    for length in range(len(where), -1, -1):
        if where[:length] in lines:
            return lines[where[:length]]
    return 1
