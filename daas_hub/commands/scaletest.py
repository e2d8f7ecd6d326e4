"""`daas-hub scaletest`: many sessions of one test person on a running hub, measured and removed again."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from typing import Any

import click

from daas_hub.commands.load_testing import LoadTest, Outcome, Wanted
from daas_hub.commands.operate import ACTIVE
from daas_hub.commands.output import JSON, as_json, as_table, counted, reports_errors
from daas_hub.commands.running_hub import RunningHub, find_hub, hub_options
from daas_hub.errors import ConfigurationError
from daas_hub.services.secret_file import read_secret


@click.command()
@hub_options
@click.option(
    "--person-token-file", required=True, metavar="FILE", help="File, mode 600, with the test person's token."
)
@click.option("--application", required=True, help="Name of the application; see the manual for one that does nothing.")
@click.option("--size", default="", help="Name of the size. Default: the application's.")
@click.option("--proposal", default="", help="Id of a proposal of the test person. Default: without one.")
@click.option("--place", default="", help="Name of the place. Default: the test person's.")
@click.option("--sessions", "count", type=click.IntRange(1, 2000), default=10, show_default=True, help="How many.")
@click.option(
    "--at-once", type=click.IntRange(1, 500), default=5, show_default=True, help="Starts under way at a time."
)
@click.option("--timeout", "timeout_s", type=click.IntRange(1, 3600), default=120, show_default=True,
              help="Seconds that one start may take.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Also while other people's sessions run.")
@JSON
@reports_errors
def scaletest(
    *, person_token_file: str, application: str, size: str, proposal: str, place: str, count: int, at_once: int,
    timeout_s: int, yes: bool, is_json: bool, **where: Any,
) -> int:  # fmt: skip
    """Start many sessions of a test user, and measure.

    All of them are stopped and removed at the end, also after Ctrl+C. Sessions that were there before are not touched.
    While other people's sessions run it refuses to begin, except with --yes. The exit code is 1 if a session did not
    start, or could not be removed.
    """
    hub = find_hub(**where)
    person = RunningHub(hub.url, read_secret("--person-token-file", person_token_file), hub.ca_file)
    found = person.get("user")
    user = str(found.get("name") or "")
    if found.get("kind") != "user" or not user:
        raise ConfigurationError(
            "--person-token-file", person_token_file, "is not the token of a person", remedy="See the manual."
        )
    others = [one for one in hub.get("daas/sessions")["sessions"] if one["state"] in ACTIVE and one["user"] != user]
    if others and not yes:
        click.echo(
            f"{counted(len(others), 'session')} of other people on this hub: use --yes to test it all the same",
            err=True,
        )
        return 1
    wanted = Wanted(application, size, proposal, place)
    test = LoadTest(person, user, wanted, count=count, at_once=at_once, timeout_s=timeout_s)
    outcome = asyncio.run(_run(test, count))
    print(as_json(outcome.as_document()) if is_json else report(outcome))
    for name in outcome.left:
        click.echo(f"not removed: {user}/{name}", err=True)
    if outcome.is_interrupted:
        click.echo("interrupted", err=True)
        return 130
    return 0 if len(outcome.durations_s) == count and not outcome.left else 1


async def _run(test: LoadTest, count: int) -> Outcome:
    """Run the test; Ctrl+C and SIGTERM end it early, and what it started is removed."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, test.interrupt)
    with click.progressbar(length=count, label="started", file=sys.stderr) as bar:
        test.on_progress = lambda: bar.update(1)
        try:
            return await test.run()
        finally:
            click.echo("\nremoving the sessions ...", err=True)
            await test.remove()


def report(outcome: Outcome) -> str:
    """Return the figures as a table, with each kind of error."""
    found = outcome.as_document()
    heads = ("SESSIONS", "STARTED", "ERRORS", "STARTS/S", "P50", "P95", "LONGEST")
    times = [f"{found[name]:.2f} s" if found[name] is not None else "-" for name in ("p50_s", "p95_s", "longest_s")]
    row = (found["sessions"], found["started"], sum(found["errors"].values()), f"{found['starts_per_s']:.2f}", *times)
    errors = [f"{number} x {words}" for words, number in Counter(found["errors"]).most_common()]
    return "\n".join([as_table(heads, [row]), *errors])
