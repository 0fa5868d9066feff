"""What the models topic says: chunks, manifests and the release, put together record by record."""

from __future__ import annotations

import re

import msgspec

from feature_store.errors import ContractError
from streams.messages import Manifest, Release
from streams.messages.model import manifest_key, release_key

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ARTIFACT = re.compile(rb"^artifact/([\w.\-]+)/(\d{1,6})$")


class ModelsTopic:
    """The state of the models topic for one pipeline; feed it every record in order."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._manifest_prefix = manifest_key(pipeline, "")
        self._release_key = release_key(pipeline)
        self._chunks: dict[str, dict[int, bytes]] = {}
        self.manifests: dict[str, Manifest] = {}
        self.release: Release | None = None

    def feed(self, key: bytes | None, value: bytes | None) -> bool:
        """Take in one record; True when the release changed. Raises ContractError for a malformed one."""
        if key is None:
            return False
        if found := _ARTIFACT.match(key):
            self._feed_chunk(found[1].decode(), int(found[2]), value)
        elif key.startswith(self._manifest_prefix):
            self._feed_manifest(key[len(self._manifest_prefix) :].decode(errors="replace"), value)
        elif key == self._release_key and value is not None:
            return self._feed_release(value)
        return False

    def artifact(self, version: str) -> bytes:
        """The whole artifact of ``version``. Raises ContractError naming what is missing."""
        manifest = self.manifests.get(version)
        if manifest is None:
            raise ContractError(f"model {version}: the models topic has no manifest of it")
        chunks = self._chunks.get(version, {})
        missing = [i for i in range(manifest.artifact.chunks) if i not in chunks]
        if missing:
            raise ContractError(f"model {version}: chunks {missing} are missing on the models topic")
        return b"".join(chunks[i] for i in range(manifest.artifact.chunks))

    def _feed_chunk(self, version: str, number: int, value: bytes | None) -> None:
        if value is None:
            self._chunks.get(version, {}).pop(number, None)
        else:
            self._chunks.setdefault(version, {})[number] = value

    def _feed_manifest(self, version: str, value: bytes | None) -> None:
        if value is None:
            self.manifests.pop(version, None)
            return
        try:
            manifest = msgspec.json.decode(value, type=Manifest)
        except _UNREADABLE as error:
            raise ContractError(f"the manifest of {version} is malformed: {error}") from error
        if manifest.version != version or manifest.pipeline != self._pipeline:
            raise ContractError(f"the manifest under {version} is of {manifest.pipeline}/{manifest.version}")
        self.manifests[version] = manifest

    def _feed_release(self, value: bytes) -> bool:
        try:
            release = msgspec.json.decode(value, type=Release)
        except _UNREADABLE as error:
            raise ContractError(f"the release record is malformed: {error}") from error
        if self.release is not None and release.epoch <= self.release.epoch:
            return False  # epochs never go back
        self.release = release
        return True
