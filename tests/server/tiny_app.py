"""A small ASGI application, and the program that serves it: what the server is tested with.

``/hello`` answers at once. ``/slow`` sends "first ", then waits for a line on the program's standard
input before it sends "last".
"""

from __future__ import annotations

import asyncio
import sys

from cheesebox.server.run import ServerOptions, serve
from cheesebox.server.sockets import listen, root_url


class TinyApp:
    def __init__(self):
        self.stopped = False
        self.released = None

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == "/slow":
            await self._answer_slowly(send)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
            await send({"type": "http.response.body", "body": b"hello"})

    async def _live(self, receive, send):
        await receive()
        self.released = asyncio.Event()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.stopped = True
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer_slowly(self, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await self.released.wait()
        await send({"type": "http.response.body", "body": b"last"})


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main():
    app = TinyApp()
    sock = listen("127.0.0.1", 0)

    def on_ready():
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), app.released.set)
        say(root_url(sock))

    serve(app, sock, ServerOptions(grace=float(sys.argv[1])), on_ready)
    say("stopped" if app.stopped else "cut")


if __name__ == "__main__":
    main()
