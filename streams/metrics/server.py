"""Giving metrics to Prometheus over HTTP, from a thread of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import structlog
from prometheus_client import start_http_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

_log = structlog.get_logger()
LOOPBACK = "127.0.0.1"


class Listen(NamedTuple):
    """Where to listen; ``port`` 0: nowhere.

    Metrics ask for no password, so others than this machine must be let in on purpose.
    """

    port: int = 0
    host: str = LOOPBACK


def listen_at(declared: int, place: int, given: int | None, host: str = LOOPBACK) -> Listen:
    """Where a process listens: where it was told to, else ``place`` above the declared port, else nowhere."""
    if given is not None:
        return Listen(given, host)
    return Listen(declared + place if declared else 0, host)


@contextmanager
def serving_metrics(registry: CollectorRegistry, listen: Listen) -> Iterator[str | None]:
    """Serve ``registry`` until the block ends, at the address that is yielded.

    Where the port is taken that is said in the log, and the work goes on without metrics.
    """
    if listen.port == 0:
        yield None
        return
    try:
        server, thread = start_http_server(listen.port, listen.host, registry)
    except OSError as error:
        _log.error(
            "metrics_not_served",
            host=listen.host,
            port=listen.port,
            why=str(error),
            cure="choose another --metrics-port, or serving.metrics_port",
        )
        yield None
        return
    url = f"http://{listen.host}:{listen.port}/metrics"
    _log.info("metrics_served", url=url)
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
