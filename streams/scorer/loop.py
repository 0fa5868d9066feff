"""The loop around the core: poll, step, commit; whatever is there makes a batch."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import structlog

from feature_store.carried import HEADER, times_of
from feature_store.errors import SchemaUnavailableError
from streams.following import StoppedAtStartError
from streams.formats import events_as_json
from streams.kafka import (
    NO_TRACE,
    Aborted,
    Consumer,
    Message,
    TopicPartition,
    at_end,
    headers_of,
    seek,
    trace_of,
)
from streams.metrics import Stage
from streams.scorer.claiming import Claiming
from streams.scorer.core import ScorerCore
from streams.scorer.outcomes import OutcomeFeed
from streams.scorer.partitions import Partitions
from streams.scorer.passing import Passing
from streams.scorer.pausing import Pausing
from streams.scorer.pulse import Pulse
from streams.scorer.records import Refused, SourceDelta, SourceRecord, Under
from streams.scorer.sharing import Sharing
from streams.scorer.snapshots import Snapshots
from streams.scorer.telling import Telling
from streams.scorer.warnings import Warnings

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from feature_store.clock import Clock, Headers
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.snapshots import Shelf
    from streams.alerts import AlertSender
    from streams.metrics import ScorerMetrics
    from streams.models.watcher import ModelWatcher
    from streams.policies.watcher import PolicyWatcher
    from streams.scorer.delivery import Deliveries
    from streams.scorer.transaction import Transactions

_log = structlog.get_logger()
_POLL_S = 0.1
_PAUSE_S = 0.5
_COLLECT_EVERY = 200  # steps


class ScorerLoop:
    """One scorer: everything it needs is given, ``run`` works until ``stop`` is set."""

    def __init__(
        self,
        pipeline: Pipeline,
        bootstrap: str,
        consumer: Consumer,
        transactions: Transactions | Deliveries,
        watcher: ModelWatcher,
        policies: PolicyWatcher,
        clock: Clock,
        alerts: AlertSender,
        shelf: Shelf,
        metrics: ScorerMetrics,
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._steps = 0
        self._core = ScorerCore(pipeline, self._clock, events_as_json(pipeline), metrics.stages)
        self._warnings = Warnings(alerts.send)
        self._telling = Telling(pipeline, metrics, self._core, consumer, clock, alerts.send)
        self._pausing = Pausing(pipeline, consumer, alerts.send)
        self._passing = Passing()
        self._given_up: set[int] = set()  # in this turn
        self._topic = pipeline.topics.events
        self._staged = pipeline.stages_before > 0
        self._max_events = pipeline.serving.batch.max_events
        self._consumer = consumer
        self._transactions = transactions
        self._watcher = watcher
        self._policies = policies
        self._outcomes = OutcomeFeed(pipeline, bootstrap, alerts.send)
        self._snapshots = Snapshots(pipeline, self._core, shelf, alerts.send)
        self._partitions = Partitions(
            consumer,
            self._core,
            pipeline,
            bootstrap,
            self._outcomes,
            self._snapshots,
            transactions.joined,
            self._heard_of,
            Claiming(pipeline, transactions),
            self._lost,
        )
        self._sharing = Sharing(bootstrap, pipeline.scorer_group, self._topic, pipeline.topics.policy)
        self._pulse = Pulse()

    def run(self, stop: threading.Event) -> None:
        """Decide events until ``stop`` is set. Raises what makes going on unsafe."""
        self._transactions.start()
        try:
            self._watcher.start(stop)
            self._policies.start(stop)
        except StoppedAtStartError:
            self._watcher.stop()
            return
        self._partitions.subscribe()
        self._sharing.start()
        _log.info(
            "scorer_ready", epoch=self._watcher.acting.epoch, policy=self._policies.active.document.version
        )
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            while not stop.is_set():
                self._turn()
            self._pass_the_ends()
            self._sharing.stop()
            self._snapshots.finish()
            self._partitions.keep_no_more()
            self._transactions.finish()
        finally:
            gc.enable()
            gc.unfreeze()
            self._watcher.stop()
            self._policies.stop()
            self._partitions.close()
            self._outcomes.close()
            self._snapshots.close()

    def _turn(self) -> None:
        self._given_up.clear()
        message = self._consumer.poll(_POLL_S)
        self._raise_failures()
        self._metrics.health.beat()
        self._pulse.beat(self._watcher.acting.epoch)
        self._telling.turn(self._watcher.acting, self._policies.active.offset)
        self._pausing.turn()
        messages, records = [], []
        if message is not None:
            messages = [message, *self._consumer.consume(self._max_events - 1, 0)]
            records = self._records(messages)
            self._raise_failures()
            if self._given_up:  # of what came back in this turn, this may have been read before
                self._seek_back(self._given_up & self._core.positions.keys())
        deltas = self._outcomes.poll()
        if records or deltas:
            self._step(records, deltas, messages)
        elif message is None:
            self._pass_the_ends()
            self._transactions.turn()
            gc.collect(0)
        self._snapshots.turn()

    def _pass_the_ends(self) -> None:
        """Where nothing more came before it, that counts: the next start finds this place."""
        if self._passing.beyond(self._core.positions):
            self._step([], [], [])

    def _step(self, records: list[SourceRecord], deltas: list[SourceDelta], messages: list[Message]) -> None:
        started = time.perf_counter()
        acting, policy = self._watcher.acting, self._policies.active
        try:
            ends = self._passing.beyond(self._core.positions)
            result = self._core.step(records, acting, deltas, policy, ends)
            if result.refused:
                result.refused = _with_headers(result.refused, messages)
            with self._metrics.stage(Stage.COMMIT):
                logged = self._transactions.commit(result)
        except Aborted:
            self._telling.aborted()
            self._give_back(records)
            return
        except SchemaUnavailableError as error:
            self._warnings.schemas_away(error)
            self._give_back(records)
            time.sleep(_PAUSE_S)
            return
        self._outcomes.applied(len(deltas))
        self._core.commit()
        self._snapshots.stepped(result, logged, Under(acting.epoch, policy.offset))
        self._warnings.stepped(result, acting, self._core.intake.shortened)
        self._telling.stepped(records, result)
        self._pausing.stepped(records, result.refused, self._clock.now())
        self._collect_garbage()
        self._pulse.count(len(records), len(result.refused), time.perf_counter() - started)

    def _give_back(self, records: list[SourceRecord]) -> None:
        """Nothing of the step is visible; it will be done again."""
        self._core.rollback()
        partitions = {record.partition for record in records}
        self._passing.forget(partitions)
        self._seek_back(partitions)

    def _collect_garbage(self) -> None:
        """While events come without a pause, what only the collector can free must not pile up."""
        self._steps += 1
        if self._steps % _COLLECT_EVERY == 0:
            gc.collect(1)

    def _records(self, messages: list[Message]) -> list[SourceRecord]:
        positions = self._core.positions
        for lost in self._given_up:
            positions.pop(lost, None)
        arrival, by_header, now = self._clock.arrival, self._clock.by_header, self._clock.now()
        records = []
        for message in messages:
            partition, offset = message.partition(), message.offset()
            ended = message.error() is not None and at_end(message)  # raises what will not pass by itself
            if partition is None or offset is None or offset < positions.get(partition, offset + 1):
                continue  # a partition that was just handed over, or a record that was decided already
            if ended:
                self._passing.reached(partition, offset)
            if message.error() is not None:
                continue
            positions[partition] = offset + 1
            _, record_time = message.timestamp()
            headers = headers_of(message)
            carried = _carried(headers) if self._staged else b""
            if (times := times_of(carried)) is not None:
                record_time, arrived_at = times
            else:
                arrived_at = arrival(headers if by_header else None, record_time, now)
            trace = trace_of(headers) if headers else NO_TRACE
            key, value = message.key(), message.value()
            records.append(
                SourceRecord(partition, offset, key, value, record_time, arrived_at, trace, carried)
            )
        return records

    def _seek_back(self, partitions: Iterable[int]) -> None:
        positions = self._core.positions
        for partition in partitions:
            seek(self._consumer, TopicPartition(self._topic, partition, positions[partition]))

    def _lost(self, partitions: list[int]) -> None:
        """They are about to be given up."""
        self._given_up.update(partitions)
        self._pausing.forget(partitions)
        self._passing.forget(partitions)

    def _heard_of(self, under: Under) -> bool:
        """Wait until what a partition was decided under is known here, too: neither ever goes back."""
        return self._watcher.wait_for(under.epoch) and self._policies.not_before(under.policy)

    def _raise_failures(self) -> None:
        failure = self._partitions.failure or self._watcher.failure or self._policies.failure
        if failure is not None:
            raise failure


def _carried(headers: Headers) -> bytes:
    """What the stage before has found; empty where nothing stands there."""
    return next((value for name, value in headers or () if name == HEADER and value is not None), b"")


def _with_headers(refused: list[Refused], messages: list[Message]) -> list[Refused]:
    """Dead letters keep what their producers wrote; of all other records nobody reads it."""
    places = {(message.partition(), message.offset()): message for message in messages}
    return [
        each._replace(headers=headers_of(places[each.record.partition, each.record.offset]) or ())
        for each in refused
    ]
