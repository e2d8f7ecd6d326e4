"""`daas-hub check-nagios`: the state of a running hub as a plugin of Nagios and Icinga reports it."""

from __future__ import annotations

import time
from typing import Any

import click

from daas_hub.commands.operate import frozen_words, unconfirmed_words
from daas_hub.commands.output import counted
from daas_hub.commands.plugin import CRITICAL, OK, UNKNOWN, WARNING, PluginCommand, plugin_line
from daas_hub.commands.running_hub import HubProblem, find_hub, hub_options
from daas_hub.errors import DaasError, ErrorKind

#: The hub is there, and this check is wrong: nobody has to be woken for it.
_MISTAKES = (ErrorKind.CREDENTIALS_REFUSED, ErrorKind.NOT_FOUND, ErrorKind.HTML, ErrorKind.WEB_PROXY)


@click.command("check-nagios", cls=PluginCommand)
@hub_options
@click.option(
    "--full",
    type=click.IntRange(1, 100),
    default=90,
    show_default=True,
    metavar="PERCENT",
    help="Warn from this use of the limit of a place, or of the whole portal.",
)
def check_nagios(full: int, **where: Any) -> int:
    """Report the state of a running hub to Nagios or Icinga.

    The exit code is 0 in order, 1 a warning (a service of the facility does not respond, a place or the whole portal is
    full, a place is down, the end of a session is not confirmed), 2 critical (the hub or its proxy does not respond, a
    recheck is frozen), 3 the check could not be made.
    """
    started_at = time.monotonic()
    try:
        found = find_hub(**where).get("daas/status")
        state, text = judge(found, full)
        print(plugin_line(state, text, performance_data(found, full, time.monotonic() - started_at)))
    except HubProblem as problem:
        state = UNKNOWN if problem.kind in _MISTAKES else CRITICAL
        print(plugin_line(state, str(problem)))
    except (DaasError, KeyboardInterrupt) as problem:
        state = UNKNOWN
        print(plugin_line(state, str(problem) or "interrupted"))
    except Exception as error:  # Python's own exit code would be a warning
        state = UNKNOWN
        print(plugin_line(state, f"the check could not be made: {type(error).__name__}"))
    return state


def judge(found: dict[str, Any], full: int) -> tuple[int, str]:
    """Return the state of a hub, and why it is not in order."""
    warnings = [f"{one['name']} does not respond" for one in found["sources"] if not one["answers"]]
    for one in found["places"]:
        if one["state"] == "down":
            warnings.append(f"place {one['name']} is down")
        elif _is_full(one, full):
            warnings.append(_full_words(f"place {one['name']}" if one["name"] else "the portal", one))
    # a hub of an earlier release does not report it
    if (portal := found.get("whole_portal")) and _is_full(portal, full):
        warnings.append(_full_words("the whole portal", portal))
    warnings += unconfirmed_words(found)
    problems = [] if found["proxy"]["answers"] else ["the proxy does not respond"]
    problems += frozen_words(found)
    if problems:
        return CRITICAL, "; ".join([*problems, *warnings])
    if warnings:
        return WARNING, "; ".join(warnings)
    running, people = found["sessions"].get("running", 0), found["people"]
    return OK, f"{counted(running, 'session')} of {counted(people, 'person', 'people')}"


def performance_data(found: dict[str, Any], full: int, duration_s: float) -> dict[str, str]:
    """Return the numbers of a hub; of a place, and of the whole portal, with its limits."""
    data = {state: str(found["sessions"].get(state, 0)) for state in ("running", "starting", "unknown")}
    data["people"] = str(found["people"])
    data["routes"] = str(found["proxy"]["routes"])
    limited = {f"place_{one['name'] or 'default'}": one for one in found["places"]}
    limited |= {"whole_portal": portal} if (portal := found.get("whole_portal")) else {}
    for name, one in limited.items():
        if one["capacity"]:
            data[name] = f"{one['used']};{one['capacity'] * full // 100};;0;{one['capacity']}"
    return data | {"time": f"{duration_s:.2f}s"}


def _is_full(one: dict[str, Any], full: int) -> bool:
    return bool(one["capacity"]) and one["used"] * 100 >= full * one["capacity"]


def _full_words(name: str, one: dict[str, Any]) -> str:
    return f"{name} has {one['used']} of {one['capacity']} sessions"
