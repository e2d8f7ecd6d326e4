"""Run as its own process: servers with fixed ports in a network of their own, reached through sockets of this one.

    unshare --net --uts python own_network.py HOST FD:PORT... -- PROGRAM...

Each FD is a listening socket, which belongs to the network where it was made; connections to it go to PORT here.
"""

from __future__ import annotations

import asyncio
import fcntl
import signal
import socket
import struct
import sys

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _relay(fd: int, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    await asyncio.start_server(connected, sock=socket.socket(fileno=fd))


async def main(host: str, ports: list[tuple[int, int]], program: list[str]) -> int:
    """Run the program, and relay connections until it ends."""
    socket.sethostname(host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))
    for fd, port in ports:
        await _relay(fd, port)
    process = await asyncio.create_subprocess_exec(*program, stdin=asyncio.subprocess.DEVNULL)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.terminate)
    return await process.wait()


if __name__ == "__main__":
    end = sys.argv.index("--")
    pairs = [(int(fd), int(port)) for fd, _, port in (one.partition(":") for one in sys.argv[2:end])]
    sys.exit(asyncio.run(main(sys.argv[1], pairs, sys.argv[end + 1 :])))
