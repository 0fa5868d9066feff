"""The keeper's local API: what it knows, and what it can be told to do.

Every route but ``/health``, which says nothing, needs ``Authorization: Bearer <token>``; the token stands in
``keeper.json``, which only the owner can read. Handlers run in worker threads, on cursors of their own.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from feature_store.errors import ContractError, PolicyError, SluicegateError
from streams.kafka import KafkaException
from training.keeper.cards import card
from training.keeper.commands import Commands
from training.keeper.evaluation import evaluate
from training.keeper.evidence import told_evidence
from training.keeper.status import model, models, status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from training.keeper.desk import Desk

_MOST_BYTES = 1_048_576
"""A policy may have thousands of values on its lists."""
_USUAL_CHANGES = 200
_MOST_CHANGES = 10_000


class Api:
    """The routes, as methods; each returns what becomes JSON."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._parts = desk.parts
        self._policies = desk.policies
        self._runs = desk.runs
        self._trainings = desk.trainings
        self._next_run = desk.next_run

    def application(self, token: str) -> Starlette:
        """The ASGI application that asks for ``token``."""
        reading: dict[str, Callable[[Request], Any]] = {
            "/status": self._status,
            "/runs": lambda _: self._runs.all(),
            "/models": lambda _: models(self._parts),
            "/models/{version}": lambda asked: model(self._parts, asked.path_params["version"]),
            "/models/{version}/card": lambda asked: card(self._parts, asked.path_params["version"]),
            "/metrics/summary": lambda _: evaluate(self._parts),
            "/event": lambda asked: told_evidence(self._parts, asked.query_params.get("id", "")),
            "/policy": lambda _: self._policies.told(),
            "/policy/history": lambda _: self._policies.history(),
            "/audit": self._audit,
        }
        commands = Commands(self._desk).by_path
        routes = [Route("/health", _health, methods=["GET"])]
        routes += [Route(path, _guarded(token, work), methods=["GET"]) for path, work in reading.items()]
        routes += [Route(path, _told(token, work), methods=["POST"]) for path, work in commands.items()]
        return Starlette(routes=routes)

    def _status(self, _request: Request) -> Any:
        policy = self._policies.in_force()
        return status(self._parts) | {
            "policy": {"version": policy.document.version, "offset": policy.offset},
            "next_run": self._next_run(),
            "training": self._trainings.running,
        }

    def _audit(self, request: Request) -> Any:
        asked = request.query_params.get("most", "")
        most = int(asked) if asked.isdecimal() else _USUAL_CHANGES
        return self._desk.audit.newest(min(most, _MOST_CHANGES))


async def _health(_request: Request) -> Response:
    return _json({"status": "ok"})


def _guarded(token: str, work: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if not _allowed(request, token):
            return _refused()
        return await _answer(work, request)

    return answer


def _told(token: str, work: Callable[[Request, bytes], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if not _allowed(request, token):
            return _refused()
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return _json({"error": "the body is too large"}, 413)
        return await _answer(work, request, body)

    return answer


def _allowed(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


async def _answer(work: Callable[..., Any], *arguments: Any) -> Response:
    try:
        return _json(await run_in_threadpool(work, *arguments))
    except LookupError as error:
        return _json({"error": str(error)}, 404)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, PolicyError) as error:
        return _json({"error": str(error)}, 400)
    except ContractError as error:
        return _json({"error": str(error)}, 409)
    except (SluicegateError, KafkaException) as error:
        return _json({"error": str(error)}, 503)


def _refused() -> Response:
    response = _json({"error": "the token of keeper.json is missing or wrong"}, 401)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _json(content: Any, status_code: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code, media_type="application/json")
