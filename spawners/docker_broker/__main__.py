"""The broker: a program between the hub and a container engine that admits what the hub needs, and nothing else.

Access to an engine's socket is root on its machine, so in a portal of containers the hub does not reach it: this
program does, and the hub reaches this program. Everything is an allow-list: the calls, their parameters, and each field
of the create call. What is sent to the engine is built from what was checked, never forwarded as it came.

    python -m daas_hub.spawners.docker_broker --listen /run/broker/engine.sock --engine unix:///var/run/docker.sock \
        --hub daas --image-prefix localhost/daas-hub/ --root /srv/daas/data --writable /srv/daas/homes
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web

from daas_hub.spawners.docker_broker.api import Calls, message
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
        """Listen on a socket file that only this user may connect to; the caller stops it with `close`."""
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
            return message(refusal.status, f"The broker refuses this call: {refusal}.")
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            _log.error("the engine does not answer: %s", problem)
            return message(503, "The engine does not answer.")


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
    """Read the command line: the rules, the engine's socket, and the broker's own."""
    parser = argparse.ArgumentParser(prog="broker", description=__doc__.partition("\n")[0], allow_abbrev=False)
    repeatable = partial(parser.add_argument, action="append", default=[])
    parser.add_argument("--listen", required=True, metavar="FILE", help="socket file to listen on, for the hub")
    parser.add_argument("--engine", default="unix:///var/run/docker.sock", help="the engine; default: %(default)s")
    parser.add_argument("--hub", required=True, help="the hub's ProposalDockerSpawner.hub_label")
    repeatable("--image", metavar="REFERENCE", help="image that it may use, with tag or digest; repeatable")
    repeatable("--image-prefix", metavar="NAME/", help="prefix of images that it may use; repeatable")
    repeatable("--root", metavar="DIR", help="directory that may be mounted read-only, with what is in it; repeatable")
    repeatable("--writable", metavar="DIR", help="directory in which all may be mounted writable; repeatable")
    parser.add_argument("--min-id", type=int, default=1000, help="the hub's Facility.min_id; default: %(default)s")
    parser.add_argument("--max-id", type=int, default=60_000_000, help="Facility.max_id; default: %(default)s")
    parser.add_argument(
        "--pull", action=argparse.BooleanOptionalAction, default=False, help="whether it may have these images pulled"
    )
    repeatable("--gpu", metavar="DRIVER:NAME", help="GPU that sessions may have, as in its gpus setting; repeatable")
    given = parser.parse_args(argv)
    if not given.engine.startswith("unix:///"):
        parser.error("--engine: must be a socket file of this machine, unix:///...")
    try:
        rules = Rules(
            given.hub,
            frozenset(given.image),
            tuple(given.image_prefix),
            tuple(given.root),
            tuple(given.writable),
            given.min_id,
            given.max_id,
            given.pull,
            frozenset(given.gpu),
        )
        engine = given.engine.removeprefix("unix://")
        require_out_of_reach(rules, engine, given.listen)
    except ValueError as problem:
        parser.error(str(problem))
    return rules, engine, Path(given.listen)


async def run(rules: Rules, engine: str, listen: Path) -> None:
    """Serve until stopped."""
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
