"""Commands about a running hub: `status`, `sessions`, `stop`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import click

from daas_hub.commands.output import JSON, as_json, as_table, counted, local_time, progress_of, reports_errors
from daas_hub.commands.running_hub import HubProblem, RunningHub, find_hub, hub_options
from daas_hub.errors import ConfigurationError

#: Sessions in these states use resources, and can be stopped.
ACTIVE = ("starting", "running", "stopping", "unknown")
#: What is listed without `--all`.
LISTED = ("waiting", *ACTIVE)


@click.command()
@hub_options
@JSON
@reports_errors
def status(is_json: bool, **where: Any) -> int:
    """Show whether a running hub, its proxy, places and sources work.

    The exit code is 1 if one of them does not, if a recheck is frozen, or if the end of a session is not confirmed.
    """
    hub = find_hub(**where)
    found = hub.get("daas/status")
    if is_json:
        print(as_json(found))
    else:
        print("\n".join(_status_lines(hub, found)))
    return 0 if not problems_of(found) else 1


@click.command()
@hub_options
@click.option("--user", default="", help="Only the sessions of this person: the hub's name, or the person's.")
@click.option("--proposal", default="", help="Only the sessions on this proposal.")
@click.option("--place", default="", help="Only the sessions in this place.")
@click.option("--state", default="", help="Only the sessions in this state, such as running.")
@click.option("--all", "also_ended", is_flag=True, help="Also sessions that have ended and are still listed.")
@JSON
@reports_errors
def sessions(*, user: str, proposal: str, place: str, state: str, also_ended: bool, is_json: bool, **where: Any) -> int:
    """List the sessions of a running hub.

    Each with its person, application, proposal and place, since when it runs and when it ends.
    """
    found = chosen(find_hub(**where).get("daas/sessions")["sessions"], user=user, proposal=proposal, place=place)
    found = [one for one in found if (one["state"] == state if state else also_ended or one["state"] in LISTED)]
    if is_json:
        print(as_json(found))
        return 0
    print(_session_table(found))
    print(counted(len(found), "session"))
    return 0


@click.command()
@click.argument("names", nargs=-1, metavar="[SESSION]...")
@hub_options
@click.option("--user", default="", help="All sessions of this person.")
@click.option("--proposal", default="", help="All sessions on this proposal.")
@click.option("--place", default="", help="All sessions in this place.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@reports_errors
def stop(
    *, names: tuple[str, ...], user: str, proposal: str, place: str, yes: bool, is_json: bool, **where: Any
) -> int:
    """Stop sessions.

    It asks first: unsaved work is lost. SESSION is a name that `daas-hub sessions` lists, or USER/NAME. Several options
    select the sessions that match all of them. The exit code is 1 if one of them could not be stopped.
    """
    if not names and not (user or proposal or place):
        raise click.UsageError("Name the sessions, or select them with --user, --proposal or --place.")
    hub = find_hub(**where)
    everything = [one for one in hub.get("daas/sessions")["sessions"] if one["state"] in ACTIVE]
    selected = chosen(named(everything, names), user=user, proposal=proposal, place=place)
    if not selected:
        click.echo("no such session is running", err=True)
        return 1
    if not yes:
        click.echo(_session_table(selected), err=True)
        if not click.confirm(f"Stop {counted(len(selected), 'session')}?", err=True):
            click.echo("nothing was stopped", err=True)
            return 1
    results = []
    with progress_of("stopped", len(selected)) as on_stopped:
        for one in selected:
            results.append(_stopped(hub, one))
            on_stopped(1)
    if is_json:
        print(as_json([{"user": one["user"], "name": one["name"], "problem": why} for one, why in results]))
    else:
        for one, why in results:
            print(f"{one['user']}/{one['name']}: {why or 'stopped'}")
    return 1 if any(why for _, why in results) else 0


def problems_of(found: dict[str, Any]) -> list[str]:
    """Return what does not work, of a status."""
    words = [] if found["proxy"]["answers"] else ["the proxy does not respond"]
    words += [f"{one['name']} does not respond" for one in found["sources"] if not one["answers"]]
    words += [f"place {one['name']} is down" for one in found["places"] if one["state"] == "down"]
    return words + frozen_words(found) + unconfirmed_words(found)


def frozen_words(found: dict[str, Any]) -> list[str]:
    """Return which rechecks of a status are frozen."""
    # a hub of an earlier release does not report them
    return [f"the recheck of {check} is frozen and ends no session" for check in found.get("frozen_rechecks", ())]


def unconfirmed_words(found: dict[str, Any]) -> list[str]:
    """Return how many sessions of a status may still run; nothing for none."""
    number = found.get("unconfirmed_ends", 0)
    return [f"{counted(number, 'session')} may still run: the end is not confirmed"] if number else []


def chosen(sessions: Sequence[dict[str, Any]], *, user: str, proposal: str, place: str) -> list[dict[str, Any]]:
    """Return the sessions that match all that is given."""
    return [
        one
        for one in sessions
        if (not user or user in (one["user"], one["person"]))
        and (not proposal or proposal in one["proposals"])
        and (not place or place == one["place"])
    ]


def named(sessions: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the sessions of these names; all of them without a name.

    Raises:
        ConfigurationError: a name is not one of them, or several people have such a session.
    """
    if not names:
        return list(sessions)
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys(names):
        matching = [one for one in sessions if name in (one["name"], f"{one['user']}/{one['name']}")]
        if not matching:
            raise ConfigurationError("SESSION", name, "no such session is running", remedy="See `daas-hub sessions`.")
        if len(matching) > 1:
            people = ", ".join(f"{one['user']}/{one['name']}" for one in matching)
            raise ConfigurationError("SESSION", name, "several people have one", remedy=f"One of: {people}.")
        found += [one for one in matching if one not in found]
    return found


def _stopped(hub: RunningHub, session: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Stop a session; return it with why it could not be stopped, "" if it was."""
    if session["state"] == "unknown":
        return session, f"not stopped: {session['notice'] or 'its backend does not respond'}"
    try:
        hub.ask("DELETE", f"users/{quote(session['user'], safe='')}/servers/{quote(session['name'], safe='')}")
    except HubProblem as problem:
        return session, f"not stopped: {problem}"
    return session, ""


def _session_table(sessions: Sequence[dict[str, Any]]) -> str:
    heads = ("PERSON", "SESSION", "APPLICATION", "PROPOSAL", "PLACE", "SINCE", "ENDS", "STATE")
    rows = [
        (
            one["person"],
            one["name"],
            one["application"],
            ", ".join(one["proposals"]) or "own",
            one["place"],
            local_time(one["since"]),
            local_time(one["ends"]),
            one["state"],
        )
        for one in sessions
    ]
    return as_table(heads, rows)


def _status_lines(hub: RunningHub, found: dict[str, Any]) -> list[str]:
    proxy = found["proxy"]
    states = found["sessions"]
    counts = ", ".join(f"{number} {state}" for state, number in states.items() if state in LISTED) or "none"
    lines = [
        f"{found['facility']}: daas_hub {found['version']}, JupyterHub {found['jupyterhub_version']}, at {hub.url}",
        f"proxy     {'in order, ' + counted(proxy['routes'], 'route') if proxy['answers'] else 'DOES NOT RESPOND'}",
        f"sessions  {counts}; {counted(found['people'], 'person', 'people')}",
    ]
    for one in found["places"]:
        name = one["name"] or "backend"
        limit = f" of {one['capacity']}" if one["capacity"] else ""
        state = {"open": "", "draining": ", no new sessions", "down": ", DOWN"}[one["state"]]
        lines.append(f"place     {name}: {one['used']}{limit} in use{state}")
    # a hub of an earlier release does not report it
    if (portal := found.get("whole_portal")) and portal["capacity"] is not None:
        lines.append(f"portal    all places: {portal['used']} of {portal['capacity']} in use")
    for one in found["sources"]:
        state = "in order" if one["answers"] else f"DOES NOT RESPOND, for {one['not_asked_for_s']:.0f} s"
        lines.append(f"source    {one['name']}: {state}")
    for check in found.get("frozen_rechecks", ()):
        lines.append(f"recheck   {check}: FROZEN, ends no session; the source is probably wrong")
    for words in unconfirmed_words(found):
        lines.append(f"ends      {words}")
    return lines
