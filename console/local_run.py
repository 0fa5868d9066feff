"""What runs on this machine: one run per state folder, and where other commands find its broker."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import BrokerError, ConfigError
from streams.broker.spec import Choice, parse_spec
from streams.kafka import Cluster, let_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline

BROKER_VARIABLE = "SLUICEGATE_BROKER"
_FILE = "up.json"


class NoBrokerError(BrokerError):
    """None is named, and none runs in the state folder."""


class LocalRun(msgspec.Struct, frozen=True):
    """The addresses of a run on this machine."""

    pid: int
    config: str
    bootstrap: str
    monitor: str
    keeper: str
    rollouts: int = 0
    """How often it was asked to take a changed pipeline file."""
    refused: str | None = None
    """Why it did not take the last one."""


@contextmanager
def only_run(state_dir: Path) -> Iterator[None]:
    """Hold the state folder. Raises ConfigError, naming the process, while another run holds it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _locked(descriptor):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise ConfigError(
                f"{state_dir}: process {holder} already runs here; stop it, or choose another folder: "
                "--state-dir FOLDER"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def announced(state_dir: Path, run: LocalRun) -> Iterator[None]:
    """Tell other commands of this machine where the run is, until the block ends."""
    announce(state_dir, run)
    try:
        yield
    finally:
        (state_dir / _FILE).unlink(missing_ok=True)


def announce(state_dir: Path, run: LocalRun) -> None:
    """Tell it anew."""
    path = state_dir / _FILE
    scratch = path.with_suffix(".new")
    scratch.write_bytes(msgspec.json.encode(run))
    scratch.replace(path)


def current_run(state_dir: Path) -> LocalRun | None:
    """The run that holds this state folder now."""
    run = _announced(state_dir)
    try:
        descriptor = os.open(state_dir / "up.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _locked(descriptor) else run
    finally:
        os.close(descriptor)


def config_of_run(state_dir: Path) -> Path | None:
    """The pipeline file of what runs in this state folder, or was killed there; None where it is unknown."""
    run = _announced(state_dir)
    return Path(run.config) if run is not None and Path(run.config).is_file() else None


def broker_setting(option: str | None, pipeline: Pipeline) -> str:
    """Which broker a new run uses: the option, the environment, the pipeline file, in this order."""
    return option or os.environ.get(BROKER_VARIABLE) or pipeline.broker


def find_bootstrap(option: str | None, state_dir: Path, pipeline: Pipeline) -> Cluster:
    """The addresses of the broker that a command talks to, with the pipeline's settings of clients.

    In this order: the option, the environment, what runs in ``state_dir``, the pipeline file. Raises
    NoBrokerError where none of them names one, BrokerError for what is no address, LoginError where it does
    not let us in.
    """
    run = current_run(state_dir)
    named = option or os.environ.get(BROKER_VARIABLE) or (run.bootstrap if run else pipeline.broker)
    if parse_spec(named).choice is not Choice.GIVEN:
        raise NoBrokerError(
            f"nothing runs in {state_dir}; start it with `sluicegate up`, or name one: --broker host:port"
        )
    return let_in(Cluster.of(named, pipeline))


def _announced(state_dir: Path) -> LocalRun | None:
    try:
        return msgspec.json.decode((state_dir / _FILE).read_bytes(), type=LocalRun)
    except (OSError, msgspec.MsgspecError):
        return None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
