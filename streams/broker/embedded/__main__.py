"""Run the embedded broker: `python -m streams.broker.embedded --host 127.0.0.1 --port 0`."""

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import suppress

from streams.broker.embedded.server import Broker

NOTICE = (
    "embedded broker: everything is in memory and gone when it stops; one node; compacted topics keep every"
    " record; classic groups only; no administration but to create, list and delete"
    " topics; no offsets by time; checksums are not verified; not for production"
)


async def run(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    broker = Broker()
    server, bound = await broker.start(host, port)
    clock = asyncio.create_task(broker.keep_time())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, clock.cancel)
    sys.stderr.write(f"{NOTICE}\n")
    sys.stdout.write(f"listening {host}:{bound}\n")
    sys.stdout.flush()
    async with server:
        with suppress(asyncio.CancelledError):
            await clock


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m streams.broker.embedded", description=NOTICE)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    given = parser.parse_args()
    logging.basicConfig(format="embedded broker: %(message)s")
    try:
        asyncio.run(run(given.host, given.port))
    except OSError as error:
        parser.error(f"cannot listen on {given.host}:{given.port}: {error}; --port 0 takes a free port")


if __name__ == "__main__":
    main()
