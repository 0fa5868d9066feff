"""What a logged decision was made under: the model and the policy, as their topics still hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from feature_store.errors import ContractError, MisfitError, PolicyError
from streams.kafka import read_to_end
from streams.messages import PolicyDocument
from streams.messages.policy import policy_key
from streams.models.champion import Champion, load_champion
from streams.policies import compile_policy, default_document
from streams.policies.document import FROM_FILE
from training.keeper.queries import sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.duck import Connection
    from streams.models.assembly import ModelsTopic
    from streams.policies import ActivePolicy
    from training.keeper.parts import Parts

Key = TypeVar("Key")
Found = TypeVar("Found")

MODEL_GONE = "model_gone"
FEATURES_CHANGED = "features_changed"
POLICY_GONE = "policy_gone"


class NotKeptError(Exception):
    """It cannot be decided as it was; the message is the stable word for why."""


class ActedUnder:
    """Looks models and policies up, each once: versions and offsets never change their meaning.

    For one look at what waits: topics are read when first asked for. Policies that compaction has taken from
    their topic are in the store.
    """

    def __init__(self, parts: Parts, store: Connection) -> None:
        self._parts = parts
        self._store = store
        self._pipeline = parts.pipeline
        self._models: ModelsTopic | None = None
        self._documents: dict[int, bytes] | None = None
        self._champions: dict[str, Champion | NotKeptError] = {}
        self._policies: dict[int, ActivePolicy | NotKeptError] = {}

    def champion(self, version: str) -> Champion:
        """The model of that version. Raises NotKeptError where it is gone, or does not fit any more."""
        return _once(self._champions, version, self._load)

    def policy(self, offset: int) -> ActivePolicy:
        """The policy at that place of its topic. Raises NotKeptError where it is gone, or does not fit."""
        return _once(self._policies, offset, self._compile)

    def _load(self, version: str) -> Champion | NotKeptError:
        if self._models is None:
            self._models = self._parts.publisher.read()
        try:
            artifact = self._models.artifact(version)
            return load_champion(self._models.manifests[version], artifact, self._pipeline.feature_vector)
        except MisfitError:
            return NotKeptError(FEATURES_CHANGED)
        except ContractError:
            return NotKeptError(MODEL_GONE)

    def _compile(self, offset: int) -> ActivePolicy | NotKeptError:
        if offset == FROM_FILE:
            return compile_policy(self._pipeline, default_document(self._pipeline))
        try:
            document = msgspec.json.decode(self._document(offset), type=PolicyDocument)
            return compile_policy(self._pipeline, document, offset)
        except (KeyError, msgspec.MsgspecError, PolicyError):
            return NotKeptError(POLICY_GONE)

    def _document(self, offset: int) -> str | bytes:
        """Raises KeyError where it is neither in the store nor on the topic."""
        kept = self._store.execute(sql("policy_at"), {"offset": offset}).fetchall()
        if kept:
            return str(kept[0][0])
        if self._documents is None:
            self._documents = self._read_documents()
        return self._documents[offset]

    def _read_documents(self) -> dict[int, bytes]:
        key = policy_key(self._pipeline.name)
        topic = self._pipeline.topics.policy
        return {
            message.offset() or 0: message.value() or b""
            for message in read_to_end(self._parts.settings.bootstrap, topic)
            if message.key() == key
        }


def _once(
    known: dict[Key, Found | NotKeptError], key: Key, look_up: Callable[[Key], Found | NotKeptError]
) -> Found:
    """What is known of ``key``, looked up where nothing is. Raises NotKeptError where that was found."""
    if key not in known:
        known[key] = look_up(key)
    found = known[key]
    if isinstance(found, NotKeptError):
        raise found
    return found
