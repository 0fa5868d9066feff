"""Publishing: chunks, manifest and release record reach the models topic in one transaction, or not at all.

1. The topic is read to its end; the next epoch follows the last.
2. New version, new release, the one that it replaces and the tombstones of what is no longer kept are one
   transaction of the keeper.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
import structlog

from feature_store.errors import ContractError
from streams.kafka import read_to_end
from streams.messages.model import manifest_key, release_key
from streams.models.assembly import ModelsTopic
from streams.models.signature import SignatureError
from training import releases
from training.artifacts import Artifacts
from training.kept import check_kept, replaced, tombstones
from training.signing import Signer
from training.writer import KeeperWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest, Release
    from training.releases import Step
    from training.writer import Records

REPAIR = "say which version acts: `sluicegate models promote VERSION` writes a sound one over it"
_FAR = 1_000_000
"""An epoch that cannot be read is leapt over: scorers take no release whose epoch is not above theirs."""

log = structlog.get_logger()


def read_models(bootstrap: str, pipeline: Pipeline, *, to_repair: bool = False) -> ModelsTopic:
    """The models topic as it is now: the acting release, and the kept versions, oldest first.

    Raises BrokerError, or ContractError where the newest release record is malformed; with ``to_repair`` the
    result says so instead.
    """
    found = ModelsTopic(pipeline)
    for message in read_to_end(bootstrap, pipeline.topics.models):
        try:
            found.feed(message.key(), message.value())
        except SignatureError as error:
            log.warning("release_passed_over", why=str(error))
        except ContractError as error:
            log.warning("models_record_passed_over", offset=message.offset(), why=str(error))
    if not to_repair:
        check_readable(found)
    return found


def check_readable(now: ModelsTopic) -> None:
    """Raises ContractError where the newest release record is malformed."""
    if now.malformed is not None:
        raise ContractError(f"{now.malformed}; {REPAIR}")


@dataclass(frozen=True)
class InsteadOf:
    """The champion that a challenger was measured against; None: there was none."""

    champion: str | None


class Publisher:
    """The only writer of a pipeline's models topic; its methods may be called from any thread."""

    def __init__(
        self,
        bootstrap: str,
        pipeline: Pipeline,
        now_text: Callable[[], str],
        writer: KeeperWriter | None = None,
        signer: Signer | None = None,
    ) -> None:
        """``now_text`` is the time of the pipeline's clock, RFC 3339; a keeper shares one ``writer``.

        ``signer`` signs what is published; without one it is left unsigned.
        """
        self._bootstrap = bootstrap
        self._pipeline = pipeline
        self._now_text = now_text
        self._writer = writer or KeeperWriter(bootstrap, pipeline.name)
        self._signer = signer or Signer(pipeline.name)
        self._artifacts = Artifacts(pipeline)
        self._one_at_a_time = threading.Lock()
        self._known: tuple[Release | None] | None = None
        self._changes = 0
        self._knowing = threading.Lock()
        self.known_epoch = 0
        """The newest that was ever heard of: a topic that has lost its records does not begin anew."""
        self.on_release: Callable[[Release], None] | None = None
        """Told of every release that was made, by whoever made it."""

    def release(self) -> Release | None:
        """What acts; asked of the topic once after each change, since nobody else writes it."""
        with self._knowing:
            known, changes = self._known, self._changes
        if known is None:
            known = (self.read().release,)
            with self._knowing:
                if self._changes == changes:  # else it may have been read before the change
                    self._known = known
        return known[0]

    def read(self) -> ModelsTopic:
        """What is published now; ``malformed`` says where the release cannot be read."""
        return read_models(self._bootstrap, self._pipeline, to_repair=True)

    def publish(
        self,
        manifest: Manifest,
        artifact: bytes,
        why: str,
        instead_of: InsteadOf | None = None,
        step: Step | None = None,
    ) -> Release:
        """Publish a new version, and release it by ``step``: without one it becomes the champion.

        Whoever acts now, or only ``instead_of`` a certain one. Raises ContractError where another acts, or
        where ``step`` does; BrokerError when nothing was published.
        """

        def change(now: ModelsTopic) -> tuple[Records, Step]:
            if instead_of is not None and champion_of(now) != instead_of.champion:
                raise ContractError(
                    f"model {manifest.version} was measured against {instead_of.champion or 'no champion'}, "
                    f"but {champion_of(now) or 'none'} acts by now; train again"
                )
            if manifest.version in now.manifests:
                raise ContractError(f"model {manifest.version} is published already; versions never change")
            if not manifest.artifact.is_of(artifact):
                raise ContractError(f"model {manifest.version}: its manifest describes another artifact")
            info, records = self._artifacts.placed(manifest.version, artifact)
            placed = self._signer.manifest(msgspec.structs.replace(manifest, artifact=info))
            key = manifest_key(self._pipeline.name, manifest.version)
            records.append((key, msgspec.json.encode(placed)))
            now.manifests[manifest.version] = placed
            return records, step or releases.promote(manifest.version)

        return self._change(change, why, "policy", new=manifest.version)

    def change(self, step: Step, why: str, expected: int | None = None) -> Release:
        """Take a step by policy, unless another release than the ``expected`` epoch acts by now.

        Raises ContractError for that, for a version that is not kept, and where ``step`` does.
        """
        return self._change(lambda _: ([], step), why, "policy", expected=expected)

    def promote(self, version: str, why: str = "promoted by hand", *, expected: int | None = None) -> Release:
        """Make a kept version the champion, as a new epoch, and end a canary that runs.

        Raises ContractError for an unknown version, and as all that is done by hand where another release
        than the ``expected`` epoch acts by now. Nothing else is done while the release record is malformed.
        """

        def change(now: ModelsTopic) -> tuple[Records, Step]:
            if _release_of(now).canary not in (None, version):
                return [], releases.chain(releases.end_canary, releases.promote(version))
            return [], releases.promote(version)

        return self._change(change, why, "hand", expected=expected, repairs=True)

    def canary(
        self, version: str, share: float, why: str = "canary by hand", *, expected: int | None = None
    ) -> Release:
        """Let a kept version act for ``share`` of the entities, as a new epoch.

        Raises ContractError for an unknown version, the champion, and where there is no champion.
        """
        step = releases.canary(version, share)
        return self._change(lambda _: ([], step), why, "hand", expected=expected)

    def rollback(self, why: str = "rolled back by hand", *, expected: int | None = None) -> Release:
        """End the canary that runs; without one return to the champion before this one. A new epoch.

        Once more goes further back. Raises ContractError when there is nothing to go back to.
        """

        def change(now: ModelsTopic) -> tuple[Records, Step]:
            if _release_of(now).canary is not None:
                return [], releases.end_canary
            return [], releases.roll_back(now.manifests)

        return self._change(change, why, "hand", expected=expected)

    def shadow(self, version: str, why: str | None = None, *, expected: int | None = None) -> Release:
        """Let a kept version score beside the champion without acting, as a new epoch.

        Raises ContractError for an unknown version, the champion, or one that is a shadow already.
        """
        step, said = releases.shadow(version), why or f"{version} is a shadow"
        return self._change(lambda _: ([], step), said, "hand", expected=expected)

    def unshadow(self, version: str, why: str | None = None, *, expected: int | None = None) -> Release:
        """Let a shadow score no more, as a new epoch. Raises ContractError where it is none."""
        step, said = releases.unshadow(version), why or f"{version} is a shadow no more"
        return self._change(lambda _: ([], step), said, "hand", expected=expected)

    def _change(
        self,
        change: Callable[[ModelsTopic], tuple[Records, Step]],
        why: str,
        by: Literal["hand", "policy"],
        new: str | None = None,
        expected: int | None = None,
        *,
        repairs: bool = False,
    ) -> Release:
        name = self._pipeline.name

        def made() -> tuple[Records, Release]:
            now = self.read()
            if not repairs:
                check_readable(now)
            _expect(now, expected)
            records, step = change(now)
            before = msgspec.structs.replace(_release_of(now), withdrawn=None, signature=None)
            release = msgspec.structs.replace(
                step(before),
                epoch=max(now.newest_epoch, self.known_epoch) + (_FAR if now.malformed else 1),
                released_at=self._now_text(),
                why=why,
                by=by,
            )
            for version in release.scoring:
                if version not in before.scoring and version != new:
                    check_kept(now, version)
            if now.malformed is None:  # else nobody knows which versions act
                records += tombstones(name, now, release)
            records += replaced(name, now)
            release = self._signer.release(release)
            records.append((release_key(name), msgspec.json.encode(release)))
            gone = {key for key, value in records if value is None}
            self._artifacts.expect(now.manifests, gone, every=now.all_usable)
            return records, release

        with self._one_at_a_time:
            try:
                release, _ = self._writer.write(self._pipeline.topics.models, made)
            finally:
                with self._knowing:
                    self._known, self._changes = None, self._changes + 1
            self._artifacts.clean()
        if self.on_release is not None:
            self.on_release(release)
        return release


def champion_of(now: ModelsTopic) -> str | None:
    """The version that acts; None before the first release."""
    return now.release.champion if now.release else None


def _release_of(now: ModelsTopic) -> Release:
    return now.release or releases.NOTHING


def _expect(now: ModelsTopic, expected: int | None) -> None:
    epoch = _release_of(now).epoch
    if expected is not None and epoch != expected:
        raise ContractError(f"release {epoch} came after {expected}, on which this was decided")
