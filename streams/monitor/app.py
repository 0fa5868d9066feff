"""The faust app: agents that feed the state, and a timer that judges what is mature."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import faust
import msgspec
import structlog
from aiokafka.errors import KafkaError

from feature_store.claims import Claims
from feature_store.errors import ContractError
from feature_store.log import decode_log
from streams.messages import Outcome
from streams.monitor.barrier import Barrier
from streams.monitor.progress import Progress
from streams.monitor.security import credentials_of
from streams.monitor.transport import CommittedTransport
from streams.monitor.web import serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faust.types import StreamT
    from faust.types.tuples import ConsumerMessage

    from feature_store.declaration.pipeline import Pipeline
    from streams.monitor.state import MonitorState

_JUDGE_EVERY_S = 0.25
_FETCH_BYTES = 8_388_608  # per partition; above the largest feature log message
_OUTCOME = msgspec.json.Decoder(Outcome)
_log = structlog.get_logger()


def build_app(
    pipeline: Pipeline,
    state: MonitorState,
    look: Callable[[], None],
    *,
    bootstrap: str,
    web_host: str,
    web_port: int,
    data: Path,
) -> faust.App:
    """The app of one monitor; ``look`` is called whenever all has been read that there was a moment ago.

    Each start is a consumer group of its own: it reads everything that is kept, does not wait for the session
    of a killed predecessor, and two monitors do not share the partitions between them. As it commits
    nothing, the broker forgets the group when it leaves.
    """
    app = faust.App(
        f"sluicegate.{pipeline.name}.monitor.{secrets.token_hex(4)}",
        broker=[f"kafka://{address.strip()}" for address in bootstrap.split(",")],
        broker_credentials=credentials_of(bootstrap),
        datadir=data,
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=_FETCH_BYTES,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        web_bind=web_host,
        web_host=web_host,
        web_port=web_port,
        web_router_enabled=False,
        web_tables_enabled=False,
    )
    app.transport = CommittedTransport(app.conf.broker_consumer, app)
    counted = Progress()
    _feed(app, pipeline.topics.features, counted, state, partial(_take_batch, state, Claims()))
    _feed(app, pipeline.topics.outcomes, counted, state, partial(_take_outcome, state))
    _judge(app, pipeline, counted, state, look)
    serve(app, state)
    return app


def _feed(
    app: faust.App,
    topic: str,
    counted: Progress,
    state: MonitorState,
    take: Callable[[ConsumerMessage], None],
) -> None:
    """Give each record of ``topic`` to ``take``, once; what cannot be understood is counted and left."""

    async def agent(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            if not counted.advance(message.topic, message.partition, message.offset + 1):
                state.repeated()
                continue
            try:
                take(message)
            except ContractError as error:
                state.unreadable()
                _log.warning("monitor_message_unreadable", **_where(message), error=str(error))
            except Exception:  # noqa: BLE001  (an agent that raises loses the event and stalls)
                state.unreadable()
                _log.exception("monitor_message_failed", **_where(message))

    app.agent(app.topic(topic, value_type=bytes), name=f"monitor.{topic}")(agent)


def _judge(
    app: faust.App, pipeline: Pipeline, counted: Progress, state: MonitorState, look: Callable[[], None]
) -> None:
    """Mature decisions as their outcomes are read, and see when everything has been read."""

    def caught_up(_now: int) -> None:
        state.caught_up()
        look()

    outcomes = {pipeline.topics.outcomes}
    everything = outcomes | {pipeline.topics.features}
    mature = Barrier(app, outcomes, counted, state.now, state.mature)
    whole = Barrier(app, everything, counted, state.now, caught_up)

    async def judge() -> None:
        try:
            await mature.step()
            await whole.step()
        except (KafkaError, TimeoutError) as error:
            _log.warning("monitor_ends_unknown", error=repr(error))

    app.timer(_JUDGE_EVERY_S)(judge)


def _take_batch(state: MonitorState, claims: Claims, message: ConsumerMessage) -> None:
    batch, meta = decode_log(message.value or b"")
    if claims.superseded(message.partition, message.offset, meta):
        state.repeated()
        return
    if meta.makes_claim:
        return
    state.batch(batch, meta, _micros(message))


def _take_outcome(state: MonitorState, message: ConsumerMessage) -> None:
    try:
        outcome = _OUTCOME.decode(message.value or b"")
    except msgspec.MsgspecError as error:
        raise ContractError(f"not an outcome: {error}") from error
    state.outcome(outcome)


def _micros(message: ConsumerMessage) -> int:
    return round(message.timestamp * 1_000) * 1_000


def _where(message: ConsumerMessage) -> dict[str, Any]:
    return {"topic": message.topic, "partition": message.partition, "offset": message.offset}
