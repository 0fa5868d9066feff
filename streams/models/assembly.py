"""What the models topic says: chunks, manifests and the release, put together record by record."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from feature_store.errors import ContractError
from feature_store.formats import FIRST, refuse_newer
from streams.messages import Manifest, Release
from streams.messages.model import EARLIER_RELEASES, MOST_EPOCHS, earlier_key, manifest_key, release_key
from streams.models.artifacts import ArtifactStore
from streams.models.chunks import Chunks
from streams.models.signature import SignatureError, TrustedKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_Message = TypeVar("_Message", bound=msgspec.Struct)
_ARTIFACT = re.compile(rb"^artifact/([\w.\-]{1,200})/(\d{1,6})$")


class ModelsTopic:
    """The state of the models topic for one pipeline; feed it every record in order.

    Where the pipeline file names trusted keys, what none of them signed is as good as absent: a version says
    why when it is asked for, a release is passed over.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        """Raises ConfigError for a trusted key that is none."""
        self._pipeline = pipeline.name
        self._manifest_prefix = manifest_key(pipeline.name, "")
        self._release_key = release_key(pipeline.name)
        self._earlier_prefix = earlier_key(pipeline.name)
        self._trusted = TrustedKeys(pipeline.serving.trusted_keys)
        self._store = ArtifactStore(pipeline)
        self._chunks = Chunks()
        self._refused: dict[str, str] = {}
        self.manifests: dict[str, Manifest] = {}
        self.release: Release | None = None
        self.release_record = b""
        """The release as it was written."""
        self._earlier: dict[int, Release] = {}
        self.newest_epoch = 0
        """Of all release records, those among them that were passed over."""
        self.malformed: str | None = None
        """Why the newest release record cannot be read, where it cannot: nobody knows what acts then."""

    def feed(self, key: bytes | None, value: bytes | None) -> bool:
        """Take in one record; True when the release changed.

        Raises ContractError for a malformed one, SignatureError for a release that nobody trusted has signed.
        """
        if key is None:
            return False
        if found := _ARTIFACT.match(key):
            self._chunks.feed(found[1].decode(), int(found[2]), value)
        elif key.startswith(self._manifest_prefix):
            self._feed_manifest(key[len(self._manifest_prefix) :].decode(errors="replace"), value)
        elif key == self._release_key and value is not None:
            return self._feed_release(value)
        elif key.startswith(self._earlier_prefix):
            self._feed_earlier(key[len(self._earlier_prefix) :].decode(errors="replace"), value)
        return False

    @property
    def earlier(self) -> list[Release]:
        """The last few that acted before, the newest first, as far as the topic still has them."""
        last = MOST_EPOCHS if self.release is None else self.release.epoch
        return [self._earlier[epoch] for epoch in sorted(self._earlier, reverse=True) if epoch < last]

    def artifact(self, version: str) -> bytes:
        """The whole artifact of ``version``.

        Raises ContractError naming what is missing, StorageError where its store cannot be read now.
        """
        return self.fetcher(version)()

    def fetcher(self, version: str) -> Callable[[], bytes]:
        """How to get the artifact, in any thread, which may take a while. Raises as ``artifact`` does."""
        info = self.manifest(version).artifact
        if info.store is None:
            artifact = self._chunks.joined(version, info.chunks)
            return lambda: artifact
        return lambda: self._store.get(info)

    def manifest(self, version: str) -> Manifest:
        """The manifest of ``version``. Raises ContractError where there is none that may be used."""
        manifest = self.manifests.get(version)
        if manifest is None:
            raise ContractError(
                self._refused.get(version) or f"model {version}: the models topic has no manifest of it"
            )
        return manifest

    @property
    def all_usable(self) -> bool:
        """Whether every manifest that is there may be used."""
        return self._refused.keys() <= self.manifests.keys()

    def refused(self, version: str) -> str | None:
        """Why a manifest that is there may not be used."""
        return None if version in self.manifests else self._refused.get(version)

    def _feed_manifest(self, version: str, value: bytes | None) -> None:
        if value is None:
            self.manifests.pop(version, None)
            self._refused.pop(version, None)
            self._chunks.disclaim(version)
            return
        try:
            record, manifest = _decoded(value, Manifest, f"the manifest of {version[:200]}")
        except ContractError as error:
            self._refused[version] = str(error)
            raise
        if manifest.version != version or manifest.pipeline != self._pipeline:
            raise ContractError(f"the manifest under {version} is of {manifest.pipeline}/{manifest.version}")
        try:
            self._trusted.check("manifest", self._pipeline, f"model {version}", record)
        except SignatureError as error:
            if version not in self.manifests:  # a forgery does not take the place of what is sound
                self._refused[version] = str(error)
            return
        self._refused.pop(version, None)
        self.manifests[version] = manifest
        self._chunks.claim(version)

    def _feed_release(self, value: bytes) -> bool:
        try:
            record, release = _decoded(value, Release, "the release record")
        except ContractError as error:
            self.malformed = str(error)
            raise
        self.newest_epoch = max(self.newest_epoch, release.epoch)
        self._trusted.check("release", self._pipeline, f"the release of epoch {release.epoch}", record)
        self.malformed = None
        if self.release is not None and release.epoch <= self.release.epoch:
            return False  # epochs never go back
        if self.release is not None:
            self._keep(self.release)
        self.release, self.release_record = release, value
        return True

    def _feed_earlier(self, epoch: str, value: bytes | None) -> None:
        """What nobody trusted has signed is passed over: keys come and go, and it does not act."""
        if value is None:
            self._earlier = {e: release for e, release in self._earlier.items() if str(e) != epoch}
            return
        record, release = _decoded(value, Release, f"the release record of epoch {epoch[:20]}")
        if str(release.epoch) != epoch:
            raise ContractError(f"the release record under epoch {epoch[:20]} is of {release.epoch}")
        with suppress(SignatureError):
            self._trusted.check("release", self._pipeline, f"the release of epoch {epoch}", record)
            self._keep(release)

    def _keep(self, release: Release) -> None:
        self._earlier[release.epoch] = release
        for epoch in sorted(self._earlier)[:-EARLIER_RELEASES]:
            del self._earlier[epoch]


def _decoded(value: bytes, kind: type[_Message], name: str) -> tuple[dict[str, Any], _Message]:
    """The JSON as it stands, which is what was signed, and as a message."""
    try:
        record = msgspec.json.decode(value, type=dict[str, Any])
        refuse_newer(record.get("format", FIRST))
        return record, msgspec.convert(record, kind)
    except _UNREADABLE as error:
        raise ContractError(f"{name} is malformed: {error}") from error
