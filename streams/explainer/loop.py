"""The loop: read the feature log, explain what was stopped, commit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from feature_store.claims import Claims
from feature_store.errors import ContractError
from streams.explainer.explain import Explaining, Unexplained
from streams.explainer.partitions import Held
from streams.kafka import Aborted, Consumer, Message, at_end, leave

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.log import LogMeta
    from streams.explainer.explain import Explained, KnownModels
    from streams.explainer.transaction import ExplanationWriter
    from streams.metrics import ExplainerMetrics

_log = structlog.get_logger()
_MESSAGES = 64
_WAIT_S = 0.5
_ENOUGH = 500
"""Explanations of one transaction, about: seconds of work, so that a stop is heard."""
_PULSE_S = 10.0


class ExplainerLoop:
    """One explainer; ``run`` works until ``stop`` is set."""

    def __init__(
        self,
        pipeline: Pipeline,
        consumer: Consumer,
        writer: ExplanationWriter,
        models: KnownModels,
        last: Callable[[int], int],
        metrics: ExplainerMetrics,
    ) -> None:
        """``last`` says up to which source offset a partition was explained before."""
        self._metrics = metrics
        self._consumer = consumer
        self._writer = writer
        self._explaining = Explaining(pipeline, models)
        self._held = Held(consumer, pipeline.topics.features, writer.joined, last)
        self._waiting: list[Message] = []
        self._claims = Claims()
        self.explained = 0
        self.skipped = 0
        """Rows of versions that are gone."""
        self._told = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Explain until ``stop`` is set. Raises what makes going on unsafe."""
        self._writer.start()
        self._held.subscribe()
        _log.info("explainer_ready")
        try:
            while not stop.is_set():
                self._turn(stop)
                self._metrics.health.beat()
                self._metrics.stand(self._held.lag())
                self._pulse()
        finally:
            leave(self._consumer)

    def _turn(self, stop: threading.Event) -> None:
        if not self._waiting:
            self._waiting = self._held.consume(_MESSAGES, _WAIT_S)
        found: list[Explained] = []
        moved: dict[int, int] = {}
        skipped = used = 0
        claims = self._claims.copy()  # what is given back is read again under the same ones
        for message in self._waiting:
            if len(found) >= _ENOUGH:
                break
            used += 1
            if not self._is_next(message, moved):
                continue
            for some in self._explain(message, claims):
                if stop.is_set():
                    return  # nothing of this turn is committed: the next explainer does it again
                if isinstance(some, Unexplained):
                    skipped += some.rows
                else:
                    found += some
        del self._waiting[:used]
        if moved:
            self._commit(found, moved, skipped, claims)

    def _is_next(self, message: Message, moved: dict[int, int]) -> bool:
        error = message.error()
        ended = error is not None and at_end(message)  # raises what will not pass by itself
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None or offset < self._held.positions.get(partition, offset + 1):
            return False  # handed over meanwhile
        if error is None:
            moved[partition] = offset + 1
        elif ended and offset > self._held.positions[partition]:
            moved[partition] = offset  # nothing counts before it: the marks of transactions
        return error is None

    def _explain(self, message: Message, claims: Claims) -> Iterator[list[Explained] | Unexplained]:
        partition, offset = message.partition() or 0, message.offset() or 0

        def counts(meta: LogMeta) -> bool:
            return not claims.superseded(partition, offset, meta)

        try:
            after = self._held.explained.get(partition, -1)
            yield from self._explaining.rows(message.value() or b"", after, counts)
        except ContractError as error:
            where = {"partition": message.partition(), "offset": message.offset()}
            _log.error("not_explained", why=str(error), **where)

    def _commit(self, found: list[Explained], moved: dict[int, int], skipped: int, claims: Claims) -> None:
        try:
            self._writer.commit(found, moved)
        except Aborted:
            self._metrics.aborted()
            self._waiting = []
            self._held.seek_back()
            return
        self._metrics.turn(len(found), skipped)
        self._held.positions |= moved
        self._claims = claims
        self.explained += len(found)
        self.skipped += skipped

    def _pulse(self) -> None:
        if time.monotonic() - self._told > _PULSE_S:
            self._told = time.monotonic()
            _log.info("explainer_pulse", explained=self.explained, model_gone=self.skipped)
