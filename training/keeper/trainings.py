"""Training runs, one at a time, in a thread of their own.

A run is
1. recorded as due, by the schedule or a command;
2. started once the sink has everything that was on the topics by then: an outcome that is there but not sunk
   would make a fraud look legitimate;
3. handed to the trainer with a snapshot and the champion;
4. published where it passed the gate, as its first stage says, else recorded as refused or failed.

A keeper that is killed in between takes it up again from 2; what it had published it finds on the topic.
"""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import msgspec
import structlog

from feature_store.duck import DuckError
from feature_store.errors import BrokerError, ContractError, SluicegateError, StorageError
from streams.kafka import KafkaException
from streams.messages import Manifest
from training.contract import ARTIFACT, REFUSED_MANIFEST, SNAPSHOT, TrainingResult, load_result
from training.keeper.child import TRAINER, TrainerFailedError, TrainerStoppedError, run_trainer
from training.keeper.place import PlaceLostError
from training.keeper.release.entering import entering
from training.keeper.release.lineage import lineage_of
from training.keeper.run_folders import clean
from training.keeper.runs import MOST_ATTEMPTS, Run, Runs
from training.keeper.snapshot import prepare_run_folder, version_of
from training.keeper.worker import Worker
from training.publish import InsteadOf, champion_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.keeper.parts import Parts

_MICROSECONDS = 1_000_000
_RETRY_S = 10.0

log = structlog.get_logger()


class Trainings(Worker):
    """Takes requests from any thread and works them off."""

    def __init__(self, parts: Parts, runs: Runs, command: Sequence[str] = TRAINER) -> None:
        super().__init__("trainings")
        self._parts = parts
        self._runs = runs
        self._command = command
        self._wanted = threading.Event()
        self._wanted.set()  # an earlier keeper may have left a run
        self.running: str | None = None

    def stop(self) -> None:
        """Stop the trainer that runs, if one does, and wait; its run stays due for the next keeper."""
        self._stop.set()
        self._wanted.set()
        super().stop()

    def wake(self) -> None:
        """Look for a run that is due."""
        self._wanted.set()

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            while not self._stop.is_set() and (run := self._runs.due()) is not None:
                self.running = run.run_id
                self._take(run)
                self.running = None
            if self._stop.is_set():
                return

    def _take(self, run: Run) -> None:
        try:
            self._train(run)
        except (TrainerStoppedError, PlaceLostError):  # it stays due for the next keeper
            log.info("training_interrupted", run=run.run_id)
        except (BrokerError, KafkaException) as error:
            log.warning("training_waits_for_kafka", run=run.run_id, error=str(error))
            self._runs.end(run, "due", str(error), None)
            self._stop.wait(_RETRY_S)
        except (SluicegateError, TrainerFailedError, DuckError, OSError) as error:
            self._fail(run, str(error))
        finally:
            folder = self._parts.run_folder(run.run_id)
            shutil.rmtree(folder / SNAPSHOT, ignore_errors=True)
            clean(folder.parent, self._parts.pipeline.training.gate.kept_runs)

    def _train(self, run: Run) -> None:
        models = self._parts.publisher.read()
        if version_of(run, self._parts.pipeline) in models.manifests:
            self._runs.end(run, "passed", "published before the keeper was interrupted", None)
            return
        if run.attempts >= MOST_ATTEMPTS:
            raise StorageError(f"interrupted {run.attempts} times; not tried again")
        champion = champion_of(models)
        self._runs.start(run, champion)
        log.info("training_started", run=run.run_id, why=run.why, champion=champion)
        if not self._parts.progress.wait_for(self._parts.ends(), self._stop):
            raise TrainerStoppedError
        folder = self._parts.run_folder(run.run_id)
        prepare_run_folder(folder, run, self._parts.pipeline, self._parts.store, models)
        limit = self._parts.pipeline.training.time_limit / _MICROSECONDS
        run_trainer(folder, self._parts.config, limit, self._stop, self._command)
        self._conclude(run, load_result(folder), champion)

    def _conclude(self, run: Run, result: TrainingResult, champion: str | None) -> None:
        if run.dry:
            self._end_dry(run, result)
            return
        if result.verdict == "passed":
            self._publish(run, result, champion)
            return
        detail = "; ".join(result.reasons)
        self._note(run, result, self._refused_manifest(run), champion)
        self._parts.registry.refuse(version_of(run, self._parts.pipeline), self._parts.clock.now(), detail)
        self._runs.end(run, "refused", detail, result)
        if result.too_little_data and champion is None:
            log.info("training_skipped", run=run.run_id, reasons=detail)
        else:
            self._parts.alert("gate_refused", f"run {run.run_id}: {detail}", {"run": run.run_id})

    def _publish(self, run: Run, result: TrainingResult, champion: str | None) -> None:
        expected = version_of(run, self._parts.pipeline)
        if result.manifest is None or result.manifest.version != expected:
            raise ContractError(f"the trainer says passed, but gives no manifest of {expected}")
        artifact = (self._parts.run_folder(run.run_id) / ARTIFACT).read_bytes()
        self._note(run, result, result.manifest, champion)
        try:
            release = self._parts.publisher.publish(
                result.manifest,
                artifact,
                f"run {run.run_id} passed the gate",
                InsteadOf(champion),
                entering(self._parts, expected),
            )
        except ContractError as error:
            self._parts.registry.refuse(expected, self._parts.clock.now(), str(error))
            raise
        self._runs.end(run, "passed", None, result)
        log.info("model_published", version=expected, epoch=release.epoch, metrics=result.metrics)

    def _note(
        self, run: Run, result: TrainingResult, manifest: Manifest | None, champion: str | None
    ) -> None:
        pipeline = self._parts.pipeline
        lineage = lineage_of(run, result, manifest, champion, pipeline)
        self._parts.registry.add(version_of(run, pipeline), run.run_id, manifest, lineage)

    def _refused_manifest(self, run: Run) -> Manifest | None:
        """Of what was judged and refused; None where it came to no model."""
        try:
            told = (self._parts.run_folder(run.run_id) / REFUSED_MANIFEST).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(told, type=Manifest)
        except msgspec.MsgspecError as error:
            raise ContractError(f"run {run.run_id}: {REFUSED_MANIFEST} is no manifest: {error}") from error

    def _end_dry(self, run: Run, result: TrainingResult) -> None:
        """A dry run leaves its verdict, and nothing else."""
        if result.verdict == "passed":
            version = version_of(run, self._parts.pipeline)
            self._runs.end(run, "dry_passed", f"it would have been published as {version}", result)
        else:
            self._runs.end(run, "refused", "; ".join(result.reasons), result)

    def _fail(self, run: Run, why: str) -> None:
        self._runs.end(run, "failed", why, None)
        self._parts.alert("training_failed", f"run {run.run_id}: {why}", {"run": run.run_id})
