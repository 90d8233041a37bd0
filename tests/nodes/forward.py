"""A program that forwards TCP ports from one address to another: how a namespace reaches what is outside.

``python -m tests.nodes.forward LISTEN TARGET PORT...`` writes a line when it listens.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial


async def main(listen: str, target: str, ports: list[int]) -> None:
    """Forward until killed."""
    for port in ports:
        await asyncio.start_server(partial(forward, target, port), listen, port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def forward(
    target: str, port: int, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
) -> None:
    """Forward one connection, both ways, until either side ends it."""
    try:
        server, to_server = await asyncio.open_connection(target, port)
    except OSError:
        to_client.close()
        return
    await asyncio.gather(pipe(client, to_server), pipe(server, to_client))


async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Hand on what comes."""
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [int(port) for port in sys.argv[3:]]))
