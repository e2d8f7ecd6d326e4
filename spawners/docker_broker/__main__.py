"""The broker: a program between the hub and a container engine that lets through what the hub needs, nothing else.

Whoever reaches an engine's socket is root on its machine, so in a portal of containers the hub does not reach it: this
program does, and the hub reaches this program. Everything is an allow-list: the calls, their parameters, and each field
of the create call. What goes on to the engine is written anew from what was checked, never passed on as it came.

    python -m daas_hub.spawners.docker_broker --listen /run/broker/engine.sock --engine unix:///var/run/docker.sock \
        --hub daas --image-prefix localhost/daas-hub/ --root /srv/daas/data --writable /srv/daas/homes
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from daas_hub.spawners.docker_broker.api import Calls, told
from daas_hub.spawners.docker_broker.engine_client import EngineClient
from daas_hub.spawners.docker_broker.policy import Forbidden, Rules

_log = logging.getLogger("daas.broker")


class Broker:
    """Serves one hub."""

    def __init__(self, rules: Rules, engine: str) -> None:
        """Take the path of the engine's socket."""
        self._engine = EngineClient(engine)
        self.calls = Calls(rules, self._engine)

    async def serve(self, socket: Path) -> web.ServerRunner:
        """Listen on a socket file only this user may connect to; whoever calls this ends it with `close`."""
        self._engine.open()
        runner = web.ServerRunner(
            web.Server(self.handle, handler_cancellation=True, lingering_time=1.0, access_log=None)
        )
        await runner.setup()
        socket.unlink(missing_ok=True)  # noqa: ASYNC240  # before anybody is served
        before = os.umask(0o177)
        try:
            await web.UnixSite(runner, socket).start()
        finally:
            os.umask(before)
        return runner

    async def close(self, runner: web.ServerRunner) -> None:
        """Stop."""
        await runner.cleanup()
        await self._engine.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one call of the hub."""
        try:
            return await self.calls.answer(request)
        except Forbidden as refusal:
            _log.warning("refused %s %.200r: %s", request.method, request.raw_path, refusal)
            return told(refusal.status, f"The broker refuses this call: {refusal}.")
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            _log.error("the engine does not answer: %s", problem)
            return told(503, "The engine does not answer.")


def require_out_of_reach(rules: Rules, *sockets: str) -> None:
    """Check that no session can be shown a socket of the engine or of this program.

    Raises:
        ValueError: one is below a directory that may be mounted.
    """
    for socket in sockets:
        places = {os.path.abspath(socket), os.path.realpath(socket)}
        for root in (*rules.roots, *rules.writable):
            real = os.path.realpath(root)
            if any(place.startswith((f"{root}/", f"{real}/")) for place in places):
                raise ValueError(f"{socket} is below {root}, which sessions may be shown")


def arguments(argv: list[str]) -> tuple[Rules, str, Path]:
    """Read the command line: the rules, the engine's socket, and the own one."""
    parser = argparse.ArgumentParser(prog="broker", description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--listen", required=True, metavar="FILE", help="socket file to listen on")
    parser.add_argument("--engine", default="unix:///var/run/docker.sock", help="the engine, unix:///...")
    parser.add_argument("--hub", required=True, help="ProposalDockerSpawner.hub_label of the hub")
    parser.add_argument("--image", action="append", default=[], metavar="REFERENCE", help="an image it may use")
    parser.add_argument("--image-prefix", action="append", default=[], metavar="NAME/", help="begin of such images")
    parser.add_argument("--root", action="append", default=[], metavar="DIR", help="may be mounted read-only")
    parser.add_argument("--writable", action="append", default=[], metavar="DIR", help="what is below may be written")
    parser.add_argument("--min-id", type=int, default=1000, help="Facility.min_id")
    parser.add_argument("--max-id", type=int, default=60_000_000, help="Facility.max_id")
    parser.add_argument("--no-pull", action="store_true", help="it may use images that are there, and fetch none")
    given = parser.parse_args(argv)
    if not given.engine.startswith("unix:///"):
        parser.error("--engine: only a socket file of this machine, unix:///...")
    try:
        rules = Rules(
            given.hub,
            frozenset(given.image),
            tuple(given.image_prefix),
            tuple(given.root),
            tuple(given.writable),
            given.min_id,
            given.max_id,
            not given.no_pull,
        )
        engine = given.engine.removeprefix("unix://")
        require_out_of_reach(rules, engine, given.listen)
    except ValueError as problem:
        parser.error(str(problem))
    return rules, engine, Path(given.listen)


async def run(rules: Rules, engine: str, listen: Path) -> None:
    """Serve until ended."""
    broker = Broker(rules, engine)
    runner = await broker.serve(listen)
    _log.info("serving %s for the hub %s", listen, rules.hub)
    try:
        await asyncio.Event().wait()
    finally:
        await broker.close(runner)


def main() -> None:
    """Run the program."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    asyncio.run(run(*arguments(sys.argv[1:])))


if __name__ == "__main__":
    main()
