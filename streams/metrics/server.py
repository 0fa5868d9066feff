"""Giving metrics to Prometheus, and health to probes, over HTTP from a thread of its own.

``/metrics``; ``/livez``: 200 while the process may still come round; ``/readyz``: 200 while it does its work.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import structlog
from prometheus_client import start_http_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client import CollectorRegistry

    from streams.metrics.health import Health

_log = structlog.get_logger()
LOOPBACK = "127.0.0.1"
EXPLAINERS_FROM = 201
"""So far above ``serving.metrics_port`` the first explainer listens; between are the scorers."""
METRICS, LIVE, READY = "/metrics", "/livez", "/readyz"
_TEXT = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]


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
def serving_metrics(registry: CollectorRegistry, health: Health, listen: Listen) -> Iterator[str | None]:
    """Serve ``registry`` and ``health`` until the block ends; the address of the metrics is yielded.

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
    server.set_app(_with_probes(server.get_app(), health))
    url = f"http://{listen.host}:{listen.port}{METRICS}"
    _log.info("metrics_served", url=url)
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _with_probes(metrics: WSGIApplication | None, health: Health) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == METRICS and metrics is not None:
            return metrics(environ, start)
        status, text = _probed(path, health)
        start(status, _TEXT)
        return [text]

    return application


def _probed(path: str, health: Health) -> tuple[str, bytes]:
    good = {LIVE: health.alive, READY: health.ready}.get(path)
    if good is None:
        return "404 Not Found", b"not found\n"
    return ("200 OK", b"ok\n") if good else ("503 Service Unavailable", b"not now\n")
