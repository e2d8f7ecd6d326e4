"""A web proxy that forwards requests and opens tunnels (CONNECT), all of them to one port of this machine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class WebProxy:
    """What the proxy was asked for.

    Attributes:
        leads_to: the port of this machine where every request arrives, whichever host it names.
        credentials: "user:password" that it wants; "" for none.
        refuses: whether it lets nobody through.
        asked: the first line of each request.
        heads: each request's head as it came, in lower case.
    """

    leads_to: int
    credentials: str = ""
    refuses: bool = False
    port: int = 0
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, as an environment variable has it."""
        who = f"{self.credentials}@" if self.credentials else ""
        return f"http://{who}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, _, rest = head.partition("\r\n")
            self.asked.append(first)
            self.heads.append(rest.lower())
            if (answer := self._refusal(rest)) is not None:
                writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
            else:
                await self._connect(first, rest, reader, writer)
        writer.close()

    def _refusal(self, head: str) -> str | None:
        if self.refuses:
            return "403 Forbidden"
        wanted = base64.b64encode(self.credentials.encode()).decode()
        if self.credentials and f"Proxy-Authorization: Basic {wanted}" not in head:
            return "407 Proxy Authentication Required"
        return None

    async def _connect(self, first: str, rest: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, version = first.split()
        there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = "/" + target.partition("://")[2].partition("/")[2]
            back.write(f"{method} {path} {version}\r\n{rest}".encode("latin-1"))
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await source.read(65_536):
            target.write(part)
            await target.drain()
    target.close()


@asynccontextmanager
async def running_web_proxy(leads_to: int, *, credentials: str = "", refuses: bool = False) -> AsyncIterator[WebProxy]:
    """Run one until the end of the block."""
    proxy = WebProxy(leads_to, credentials, refuses)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
