"""What the kubelet makes of `$(NAME)` in commands and in the values of variables."""

from __future__ import annotations

from collections.abc import Mapping


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Return the text as the kubelet expands it (third_party/forked/golang/expansion/expand.go, in its words)."""
    result, checkpoint, cursor = "", 0, 0
    while cursor < len(text):
        if text[cursor] == "$" and cursor + 1 < len(text):
            result += text[checkpoint:cursor]
            read, is_variable, advance = _read_variable(text[cursor + 1 :])
            result += variables.get(read, f"$({read})") if is_variable else read
            cursor += advance
            checkpoint = cursor + 1
        cursor += 1
    return result + text[checkpoint:]


def _read_variable(text: str) -> tuple[str, bool, int]:
    if text[0] == "$":
        return text[0], False, 1
    if text[0] == "(":
        for index in range(1, len(text)):
            if text[index] == ")":
                return text[1:index], True, index + 1
        return "$(", False, 1
    return f"${text[0]}", False, 1
