"""A changed pipeline file, rolled out to what runs: refused before anything stops, else process by process.

1. The file is read and checked as at a start.
2. What cannot change under a stream that runs is refused, and so is what the live models or the policy in
   force do not fit.
3. Keeper first, so that it has room for new columns; then one scorer after the other: their partitions are
   taken over from snapshot and log, new features are filled from history; then what only reads.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from console.interrupts import set_on_reload
from console.listening import check_host
from console.local_run import NoBrokerError, announce, current_run
from console.pipeline_file import open_pipeline
from console.plan import scorer_count
from console.soundness import check_soundness
from console.system import READY_SECONDS, addresses
from feature_store.errors import (
    BrokerError,
    ConfigError,
    ContractError,
    MisfitError,
    PolicyError,
    StorageError,
)
from streams.kafka import KafkaException
from streams.models.matching import match_features
from streams.policies import compile_policy
from streams.policies.document import FROM_FILE
from training.publish import read_models
from training.publish_policy import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console.system import System, SystemSettings
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Cluster
    from streams.models.assembly import ModelsTopic

_FIXED = ("pipeline", "clock", "broker", "kafka", "topics")
_FIXED_OF_EVENTS = ("id", "time", "key", "format")
_LOOK_SECONDS = 0.2


def rolled_out(system: System, settings: SystemSettings, show: Callable[[str], None]) -> System:
    """The system on the pipeline file as it is now.

    Raises ConfigError, with everything as it was, for a file that cannot be rolled out; ProcessFailedError
    where a process does not come up again.
    """
    pipeline = open_pipeline(settings.config, settings.state_dir)  # 1
    check_soundness(pipeline, settings.config)
    check_host(settings.host, pipeline, settings.state_dir)
    findings = [
        *_fixed(system.pipeline, pipeline),
        *_too_many_scorers(pipeline, system.plan.scorers),
    ] or [*_misfits(pipeline, system.broker.bootstrap)]
    if findings:  # 2
        raise ConfigError("\n".join(f"{settings.config}: {finding}" for finding in findings))
    plan = replace(
        system.plan,
        explainer=pipeline.serving.explanations == "async",
        sinks=pipeline.training.sink.workers,
    )
    supervisor = system.supervisor
    supervisor.stop(name for name in system.plan.beside if name not in plan.beside)
    for spec in plan.processes():  # 3
        show(f"{spec.name}: starting again with the changed pipeline file")
        supervisor.replace(spec, READY_SECONDS)
    return replace(system, pipeline=pipeline, plan=plan)


def run_with_reloads(system: System, settings: SystemSettings, show: Callable[[str], None]) -> None:
    """Watch the system until it is stopped; take a changed pipeline file whenever SIGUSR1 says so."""
    asked = threading.Event()
    with set_on_reload(asked):
        for count in itertools.count(1):
            system.run_until(asked)
            asked.clear()
            refused = None
            try:
                system = rolled_out(system, settings, show)
            except (ConfigError, BrokerError, ContractError, KafkaException) as error:
                refused = str(error)
                show(f"the changed pipeline file is refused, all goes on as before: {refused}")
            run = addresses(system.plan)
            announce(settings.state_dir, msgspec.structs.replace(run, rollouts=count, refused=refused))


def reload(state_dir: Path, patience_s: float) -> float:
    """Ask what runs in ``state_dir`` to take its pipeline file anew, and wait until it has.

    Returns the seconds that it took. Raises ConfigError with the reasons where it is refused, BrokerError
    where nothing runs there, or no answer comes.
    """
    run = current_run(state_dir)
    if run is None:
        raise NoBrokerError(f"nothing runs in {state_dir}; a start takes the file as it is: sluicegate up")
    config = Path(run.config)
    check_soundness(open_pipeline(config, state_dir), config)
    started = time.monotonic()
    os.kill(run.pid, signal.SIGUSR1)
    while time.monotonic() - started < patience_s:
        now = current_run(state_dir)
        if now is None:
            raise BrokerError(f"the run in {state_dir} ended meanwhile; its log says why")
        if now.rollouts > run.rollouts:
            if now.refused is not None:
                raise ConfigError(now.refused)
            return time.monotonic() - started
        time.sleep(_LOOK_SECONDS)
    raise BrokerError(f"no answer for {patience_s:.0f} s; look into the log of the run in {state_dir}")


def _fixed(old: Pipeline, new: Pipeline) -> Iterator[str]:
    """What the stream that runs is made of."""
    for name in _FIXED:
        if getattr(old, name) != getattr(new, name):
            yield f"{name}: cannot change while it runs; stop `sluicegate up` and start it again"
    for name in _FIXED_OF_EVENTS:
        if getattr(old.event, name) != getattr(new.event, name):
            yield f"event.{name}: cannot change: state, log and store are made of it; use other topics"
    homes = _homes(old)
    moved = any(homes.get(entity, number) != number for entity, number in _homes(new).items())
    if moved or [stage.key for stage in old.stages] != [stage.key for stage in new.stages]:
        yield "features.staged: stages, and which entity is counted in which, cannot change; use other topics"
    for name, spec in new.event.fields.items():
        before = old.event.fields.get(name)
        if before is not None and before.type != spec.type:
            yield (
                f"event.fields.{name}: was {before.type}, and is stored as that; declare {spec.type} under "
                "another name"
            )


def _homes(pipeline: Pipeline) -> dict[tuple[str, ...], int]:
    """Entity -> the stage that counts for it."""
    return {entity: stage.number for stage in pipeline.stages for entity in stage.entities}


def _too_many_scorers(new: Pipeline, running: int) -> Iterator[str]:
    try:
        scorer_count(new, running)
    except ConfigError as error:
        yield f"features.windows: {error}"


def _misfit(new: Pipeline, models: ModelsTopic, version: str) -> Iterator[str]:
    """Why a version that scores now would not any more."""
    if why := models.refused(version):
        yield f"serving.trusted_keys: {why}; it scores now"
    manifest = models.manifests.get(version)
    if manifest is None:
        return
    try:
        match_features(manifest, new.feature_vector)
    except MisfitError as error:
        yield f"features: {error}; it acts now, so keep the feature until another model does"
    try:
        if manifest.artifact.store is not None:
            models.artifact(version)
    except (ContractError, StorageError, ConfigError) as error:
        yield f"training.artifacts.store: model {version} scores now and would not be found: {error}"


def _misfits(new: Pipeline, bootstrap: Cluster | str) -> Iterator[str]:
    """What acts now and would not fit."""
    models = read_models(bootstrap, new)
    acting = models.release
    if models.newest_epoch > (acting.epoch if acting else 0):
        yield (
            "serving.trusted_keys: none of them signed the release that acts now "
            f"(epoch {models.newest_epoch}): give the keeper its key first, and train or promote once"
        )
    for version in acting.scoring if acting else ():
        yield from _misfit(new, models, version)
    try:
        in_force = read_policy(bootstrap, new)
        if in_force.offset != FROM_FILE:
            compile_policy(new, in_force.document)
    except (PolicyError, ContractError) as error:
        yield f"the policy in force would not fit any more: {error}; change it first (sluicegate policy)"
