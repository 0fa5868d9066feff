"""The model versions that decided: read from the models topic when one is first asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import ContractError
from streams.kafka import end_offsets, read_range, reader, start_offsets
from streams.models.assembly import ModelsTopic
from streams.models.exact import ExactModel

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

_log = structlog.get_logger()
_KEPT = 4


class Models:
    """Versions by name, the last few of them loaded.

    What decided an event was on the topic before it did: a version that is not there up to where the topic
    ends now is gone for good.
    """

    def __init__(self, bootstrap: str, pipeline: Pipeline) -> None:
        self._bootstrap = bootstrap
        self._topic = pipeline.topics.models
        self._state = ModelsTopic(pipeline)
        self._consumer = reader(bootstrap)
        self._next: int | None = None
        self._loaded: OrderedDict[str, ExactModel] = OrderedDict()
        self._gone: set[str] = set()

    def get(self, version: str) -> ExactModel | None:
        """The version; None where it is gone or cannot be used.

        Raises BrokerError, or StorageError where the artifact's store is away: explanations wait for it.
        """
        if version in self._gone:
            return None
        if version not in self._loaded:
            self._catch_up()
            try:
                artifact = self._state.artifact(version)
                self._loaded[version] = ExactModel(self._state.manifest(version), artifact)
            except ContractError as error:
                self._gone.add(version)
                _log.warning("model_gone", model=version, why=str(error))
                return None
            if len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(version)
        return self._loaded[version]

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _catch_up(self) -> None:
        end = end_offsets(self._consumer, self._topic)[0]
        if self._next is None:
            self._next = start_offsets(self._consumer, self._topic)[0]
        for message in read_range(self._bootstrap, self._topic, {0: (self._next, end)}):
            try:
                self._state.feed(message.key(), message.value())
            except ContractError as error:
                _log.warning("models_record_refused", offset=message.offset(), why=str(error))
        self._next = max(self._next, end)
