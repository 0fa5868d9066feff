"""Run the embedded broker: `python -m streams.broker.embedded --host 127.0.0.1 --port 0`."""

import argparse
import asyncio
import logging
import signal
import sys

from streams.broker.embedded.server import Broker

NOTICE = (
    "embedded broker: everything is in memory and gone when it stops; one node; compacted topics"
    " keep every record; only the classic group protocol; checksums are not verified; not for production"
)


async def run(host: str, port: int, *, auto_create: bool) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    broker = Broker(auto_create=auto_create)
    server, bound = await broker.start(host, port)
    clock = asyncio.create_task(broker.keep_time())
    sys.stderr.write(f"{NOTICE}\n")
    sys.stdout.write(f"listening {host}:{bound}\n")
    sys.stdout.flush()
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({stopping, clock}, return_when=asyncio.FIRST_COMPLETED)
    server.close()
    if clock.done():
        clock.result()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m streams.broker.embedded", description=NOTICE)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--auto-create", action="store_true", help="create topics that are asked for")
    given = parser.parse_args()
    logging.basicConfig(format="embedded broker: %(message)s")
    try:
        asyncio.run(run(given.host, given.port, auto_create=given.auto_create))
    except OSError as error:
        parser.error(f"cannot listen on {given.host}:{given.port}: {error}; --port 0 takes a free port")


if __name__ == "__main__":
    main()
