"""Commands that say something to the users of a running hub: `announce`, `notices`, `maintenance`."""

from __future__ import annotations

import datetime
import re
from typing import Any

import click

from daas_hub.commands.output import JSON, as_json, as_table, counted, local_time, reports_errors
from daas_hub.commands.running_hub import find_hub, hub_options
from daas_hub.errors import ConfigurationError

_LEVELS = ("info", "warning", "critical")
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_TIME_HELP = "+30m, +2h, 18:00 or 2026-12-01 18:00, in the time of this machine"


_MAIL = click.option(
    "--mail", is_flag=True, help="Send it by e-mail, too, to everybody who has signed in (see c.Mail)."
)


@click.command()
@click.argument("text")
@hub_options
@click.option("--level", type=click.Choice(_LEVELS), default="info", show_default=True, help="How urgent it is.")
@click.option(
    "--for",
    "audience",
    multiple=True,
    metavar="WHOM",
    help="role:NAME, group:NAME or beamline:NAME, several times for several; default: everybody.",
)
@click.option("--from", "begins", default="", metavar="TIME", help=f"When it appears: {_TIME_HELP}; default: now.")
@click.option("--until", default="", metavar="TIME", help="When it disappears; default: once it is withdrawn.")
@click.option("--acknowledge", is_flag=True, help="Show it to each person who signs in until they acknowledge it.")
@click.option("--in-sessions", is_flag=True, help="Show it on the pages of running sessions, too.")
@_MAIL
@JSON
@reports_errors
def announce(
    *,
    text: str,
    level: str,
    audience: tuple[str, ...],
    begins: str,
    until: str,
    acknowledge: bool,
    in_sessions: bool,
    mail: bool,
    is_json: bool,
    **where: Any,
) -> int:
    """Show a notice on every page, to everybody or to some people (--for).

    TEXT is shown as it is, markup included; addresses become links. Open pages show it within a second, those of
    running sessions (--in-sessions) within a minute.
    """
    if acknowledge and in_sessions:
        raise click.UsageError("--acknowledge and --in-sessions do not go together: sessions show banners only.")
    given = {
        "kind": "acknowledge" if acknowledge else "banner",
        "level": level,
        "text": text,
        "for": ",".join(audience),
        "from": moment("--from", begins),
        "until": moment("--until", until),
    } | {name: "1" for name, is_wanted in (("in_sessions", in_sessions), ("mail", mail)) if is_wanted}
    made = find_hub(**where).ask("POST", "daas/notices", given)
    print(
        as_json(made)
        if is_json
        else f"notice {made['id']} is shown; withdraw it: daas-hub notices --withdraw {made['id']}"
    )
    if mail and not is_json:
        people = counted(made["messages"], "person", "people")
        print(f"it is sent by e-mail to {f'those of {people} whom it is for' if audience else people}")
    return 0


@click.command()
@hub_options
@click.option("--withdraw", type=click.IntRange(1), metavar="ID", help="Remove the notice with this number.")
@JSON
@reports_errors
def notices(withdraw: int | None, is_json: bool, **where: Any) -> int:
    """List the notices, or withdraw one."""
    hub = find_hub(**where)
    if withdraw is not None:
        hub.ask("DELETE", f"daas/notices/{withdraw}")
    found = hub.get("daas/notices")["notices"]
    if is_json:
        print(as_json(found))
        return 0
    rows = [
        (
            one["id"],
            one["kind"],
            one["level"],
            _time(one["from"]),
            _time(one["until"]),
            ", ".join(one["for"]) if one["for"] is not None else "everybody",
            one["readers"] or "-",
            one["text"],
        )
        for one in found
    ]
    if rows:
        print(as_table(("ID", "KIND", "LEVEL", "FROM", "UNTIL", "FOR", "READ BY", "TEXT"), rows))
    print(counted(len(found), "notice"))
    return 0


@click.command()
@click.argument("action", type=click.Choice(("show", "begin", "end")), default="show")
@hub_options
@click.option("--from", "begins", default="", metavar="TIME", help=f"When it begins: {_TIME_HELP}; default: now.")
@click.option("--until", default="", metavar="TIME", help="When it ends; default: with `maintenance end`.")
@click.option(
    "--stop-sessions-at", "stops", default="", metavar="TIME", help="End running sessions; default: they continue."
)
@click.option("--text", default="", help="The reason, for users.")
@_MAIL
@JSON
@reports_errors
def maintenance(
    *, action: str, begins: str, until: str, stops: str, text: str, mail: bool, is_json: bool, **where: Any
) -> int:
    """Announce a maintenance, end it, or show its state.

    From its begin on no session starts; launches that wait in the queue keep their place. Every page shows the
    countdown as soon as it is announced, and so do the sessions that it will end. The exit code of `show` is 1 while no
    session can be started.
    """
    if action != "begin" and (begins or until or stops or text or mail):
        raise click.UsageError(f"These options belong to `maintenance begin`, not to `maintenance {action}`.")
    hub = find_hub(**where)
    if action == "begin":
        given = {"kind": "maintenance", "level": "warning", "text": text} | ({"mail": "1"} if mail else {})
        times = {
            "from": ("--from", begins),
            "until": ("--until", until),
            "stop_sessions_at": ("--stop-sessions-at", stops),
        }
        hub.ask("POST", "daas/notices", given | {key: moment(*one) for key, one in times.items()})
    found = _current(hub)
    if action == "end":
        if found is None:
            click.echo("there is no maintenance", err=True)
            return 1
        hub.ask("DELETE", f"daas/notices/{found['id']}")
        found = None
    print(as_json(found) if is_json else "\n".join(_lines(found)))
    return 1 if action == "show" and found and found["is_active"] else 0


def _current(hub: Any) -> dict[str, Any] | None:
    found = [one for one in hub.get("daas/notices")["notices"] if one["kind"] == "maintenance"]
    return found[0] if found else None


def _lines(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["no maintenance: sessions can be started"]
    state = "active: no session can be started" if found["is_active"] else f"announced, it begins {found['from']['in']}"
    stops = _time(found["stop_sessions_at"])
    return [
        f"maintenance {state}",
        f"from      {_time(found['from'])}",
        f"until     {_time(found['until'])}",
        f"sessions  {'continue' if stops == '-' else f'end at {stops}'}",
        *([f"text      {found['text']}"] if found["text"] else []),
    ]


def moment(option: str, text: str, now: datetime.datetime | None = None) -> str:
    """Return a time that an operator typed in ISO 8601 with its offset; "" for none.

    Raises:
        ConfigurationError: it is not a time.
    """
    text = text.strip()
    if not text:
        return ""
    now = now or datetime.datetime.now().astimezone()
    if after := re.fullmatch(r"\+(\d{1,5})([mhd])", text):
        return (now + datetime.timedelta(seconds=int(after[1]) * _UNITS[after[2]])).isoformat(timespec="seconds")
    try:
        if clock := re.fullmatch(r"(\d{1,2}):(\d{2})", text):
            found = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0, tzinfo=None)
            # of a time that has passed today, tomorrow's is meant
            found += datetime.timedelta(days=found <= now.replace(tzinfo=None))
        else:
            found = datetime.datetime.fromisoformat(text)
        return found.astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise ConfigurationError(option, text, "is not a time", remedy=f"Write {_TIME_HELP}.") from None


def _time(found: dict[str, str] | None) -> str:
    return local_time(found["iso"] if found else "")
