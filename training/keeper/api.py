"""The keeper's local API: what it knows, and what it can be told to do.

Every route but ``/health``, which says nothing, needs ``Authorization: Bearer <token>``; the token stands in
``keeper.json``, which only the owner can read. Handlers run in worker threads, on cursors of their own.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from feature_store.errors import ContractError, PolicyError, SluicegateError
from streams.kafka import KafkaException
from training.keeper.cards import card
from training.keeper.evaluation import evaluate
from training.keeper.evidence import told_evidence
from training.keeper.history_export import export_history
from training.keeper.history_import import import_history
from training.keeper.status import model, models, status
from training.keeper.store import newest_arrival

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from training.keeper.desk import Desk

_MOST_BYTES = 1_048_576
"""A policy may have thousands of values on its lists."""


class TrainCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /train``."""

    shuffle_labels: bool = False
    dry: bool = False
    trust_data: bool = False


class PromoteCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /models/{version}/promote``; ``canary``: only for that share of the entities."""

    canary: float | None = None


class FolderCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /history`` and ``POST /export-history``: a folder inside the state folder."""

    folder: str


class Api:
    """The routes, as methods; each returns what becomes JSON."""

    def __init__(self, desk: Desk) -> None:
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
        }
        commands: dict[str, Callable[[Request, bytes], Any]] = {
            "/train": self._train,
            "/models/{version}/promote": self._promote,
            "/models/{version}/shadow": self._shadow,
            "/models/{version}/unshadow": self._unshadow,
            "/rollback": lambda _request, _body: self._parts.publisher.rollback(),
            "/policy": lambda _, body: self._policies.asked(msgspec.json.decode(body)),
            "/history": self._import_history,
            "/export-history": self._export_history,
        }
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

    def _train(self, _request: Request, body: bytes) -> Any:
        command = msgspec.json.decode(body or b"{}", type=TrainCommand)
        now = self._parts.clock.now()
        if now == 0:
            raise ContractError("nothing has been decided yet, so there is nothing to train on")
        run = self._runs.request(
            "command",
            now,
            shuffle_labels=command.shuffle_labels,
            dry=command.dry,
            trust_data=command.trust_data,
        )
        self._trainings.wake()
        return {"run_id": run.run_id}

    def _promote(self, request: Request, body: bytes) -> Any:
        command = msgspec.json.decode(body or b"{}", type=PromoteCommand)
        version, publisher = request.path_params["version"], self._parts.publisher
        return (
            publisher.promote(version)
            if command.canary is None
            else publisher.canary(version, command.canary)
        )

    def _shadow(self, request: Request, _body: bytes) -> Any:
        return self._parts.publisher.shadow(request.path_params["version"])

    def _unshadow(self, request: Request, _body: bytes) -> Any:
        return self._parts.publisher.unshadow(request.path_params["version"])

    def _import_history(self, _request: Request, body: bytes) -> Any:
        parts = self._parts
        with parts.writing, parts.store.cursor() as cursor:
            taken = import_history(cursor, parts.pipeline, parts.settings.state_dir, _folder(body))
            parts.clock.observe(newest_arrival(cursor))
        return taken

    def _export_history(self, _request: Request, body: bytes) -> Any:
        parts = self._parts
        with parts.store.cursor() as cursor:
            return export_history(cursor, parts.pipeline, parts.settings.state_dir, _folder(body))


def _folder(body: bytes) -> Path:
    return Path(msgspec.json.decode(body, type=FolderCommand).folder)


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
    except (msgspec.MsgspecError, PolicyError) as error:
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
