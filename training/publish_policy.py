"""Publishing the policy: one whole document per version, in one transaction of the keeper, or not at all.

1. The topic is read to its end; the next version follows the one in force.
2. The document is compiled as a scorer would; an unsound one is refused with the reason.
3. It is written under the key of the pipeline.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import BrokerError, ContractError, PolicyError
from streams.kafka import read_to_end
from streams.messages import PolicyDocument
from streams.messages.policy import policy_key, read_document
from streams.policies import compile_policy, default_document
from streams.policies.document import FROM_FILE
from training.writer import KeeperWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from training.writer import Records

MOST_BYTES = 900_000
"""Of an encoded document: a record of a topic with Kafka's default limit takes it."""


class InForce(msgspec.Struct, frozen=True):
    """What scorers decide by. ``offset`` is its place on the policy topic; -1: the pipeline file's own."""

    offset: int
    document: PolicyDocument


def read_policy(bootstrap: str, pipeline: Pipeline) -> InForce:
    """What stands on the topic now, or the pipeline file's own where nothing does.

    Raises BrokerError, or ContractError for a document that this version cannot read.
    """
    found = InForce(FROM_FILE, default_document(pipeline))
    key = policy_key(pipeline.name)
    for message in read_to_end(bootstrap, pipeline.topics.policy):
        if message.key() == key:
            found = _decoded(pipeline, message.offset() or 0, message.value())
    return found


class PolicyPublisher:
    """The only writer of a pipeline's policy; its methods may be called from any thread."""

    def __init__(
        self,
        bootstrap: str,
        pipeline: Pipeline,
        now_text: Callable[[], str],
        writer: KeeperWriter | None = None,
    ) -> None:
        """``now_text`` is the time of the pipeline's clock, RFC 3339; a keeper shares one ``writer``."""
        self._bootstrap = bootstrap
        self._pipeline = pipeline
        self._now_text = now_text
        self._writer = writer or KeeperWriter(bootstrap, pipeline.name)
        self._known: InForce | None = None
        self._knowing = threading.Lock()

    def in_force(self) -> InForce:
        """The policy in force; asked of the topic once after each change, since nobody else writes it."""
        return self._known or self._remember(self.read())

    def read(self) -> InForce:
        """What stands on the topic now, or the pipeline file's own where nothing does.

        Raises BrokerError, or ContractError for a document that this version cannot read.
        """
        return read_policy(self._bootstrap, self._pipeline)

    def publish(self, change: Callable[[PolicyDocument], PolicyDocument]) -> InForce:
        """Put what ``change`` makes of the document in force into its place, as the next version.

        ``change`` gives who, why and what; pipeline, version and time are set here. Raises what ``change``
        raises, PolicyError for a document that cannot act, BrokerError when nothing was published.
        """

        def made() -> tuple[Records, PolicyDocument]:
            now = self.read().document
            document = self._following(now, change(now))
            compile_policy(self._pipeline, document)
            encoded = msgspec.json.encode(document)
            if len(encoded) > MOST_BYTES:
                raise PolicyError(
                    f"the policy has {len(encoded)} bytes, at most {MOST_BYTES} fit; shorten its lists, "
                    "or make long ones a rule over a field of the event"
                )
            return [(policy_key(document.pipeline), encoded)], document

        try:
            document, offset = self._writer.write(self._pipeline.topics.policy, made)
        except BrokerError:
            with self._knowing:
                self._known = None  # it may be there all the same
            raise
        return self._remember(InForce(offset, document))

    def _remember(self, found: InForce) -> InForce:
        """Keep the newer of what is known and what was found, which a slow reader may have read before."""
        with self._knowing:
            if self._known is None or found.document.version > self._known.document.version:
                self._known = found
            return self._known

    def _following(self, now: PolicyDocument, wanted: PolicyDocument) -> PolicyDocument:
        return msgspec.structs.replace(
            wanted, pipeline=self._pipeline.name, version=now.version + 1, made_at=self._now_text()
        )


def _decoded(pipeline: Pipeline, offset: int, value: bytes | None) -> InForce:
    if value is None:
        return InForce(FROM_FILE, default_document(pipeline))
    try:
        return InForce(offset, read_document(value))
    except msgspec.MsgspecError as error:
        raise ContractError(
            f"{pipeline.topics.policy}@{offset}: the policy cannot be read, a newer Sluicegate may "
            f"have written it: {error}"
        ) from error
