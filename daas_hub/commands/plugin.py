"""What Nagios and Icinga expect of a plugin: one line, performance data after "|", and an exit code of 0 to 3."""

from __future__ import annotations

from collections.abc import Mapping

import click

OK, WARNING, CRITICAL, UNKNOWN = range(4)
#: The words of the exit codes.
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


class PluginCommand(click.Command):
    """A command whose wrong use is "unknown" for monitoring, never a state of the portal."""

    usage_status = UNKNOWN


def plugin_line(state: int, text: str, data: Mapping[str, object] | None = None) -> str:
    """Return the first line of a plugin's output.

    Args:
        data: performance data: value;warning;critical;minimum;maximum, what is not known left out.
    """
    line = f"DAAS_HUB {_STATES[state]} - {plain_line(text)}"
    return f"{line} | {' '.join(f'{name}={value}' for name, value in data.items())}" if data else line


def plain_line(text: str) -> str:
    """Return a text on one line, without the character that begins performance data."""
    return " ".join(text.replace("|", "/").split())
