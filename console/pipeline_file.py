"""Which pipeline file a command means, and the secrets that a local one needs."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from feature_store.declaration.load import load_pipeline, own_secrets
from feature_store.errors import ConfigError
from feature_store.whole_file import write_atomically
from streams.broker.state_lock import exclusive

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

_DEFAULT = Path("config/payments.yaml")
_PACKAGE = Path(__file__).resolve().parent
_LOCK_SECONDS = 10.0


def find_config(given: Path | None) -> Path:
    """The file that was named, else the working directory's payments pipeline, else the shipped one."""
    if given is not None:
        return given
    places = (_DEFAULT, _PACKAGE / "shipped" / _DEFAULT.name, _PACKAGE.parent / _DEFAULT)
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(f"there is no {_DEFAULT}; name the pipeline file: --config FILE")


def open_pipeline(config: Path, state_dir: Path) -> Pipeline:
    """The pipeline in ``config``, with its local secrets in this process's environment.

    Raises ConfigError, one line per finding.
    """
    use_local_secrets(config, state_dir)
    return load_pipeline(config)


def use_local_secrets(config: Path, state_dir: Path) -> None:
    """Set every ``${…_KEY}`` of ``config`` that the environment lacks, here and so for child processes.

    Those of Kafka's and the Schema Registry's clients are not ours to draw.
    They are drawn once and kept in ``state_dir``/secrets.json, which only its owner can read.
    """
    named = own_secrets(config)
    missing = sorted(name for name in named if name.endswith("_KEY") and name not in os.environ)
    if missing:
        os.environ.update(_kept(state_dir / "secrets.json", missing))


def _kept(path: Path, names: list[str]) -> dict[str, str]:
    with exclusive(path.with_name("secrets.lock"), wait_seconds=_LOCK_SECONDS):
        known = _read(path)
        fresh = {name: secrets.token_hex(32) for name in names if name not in known}
        if fresh:
            known.update(fresh)
            write_atomically(path, json.dumps(known).encode(), private=True)
    return {name: known[name] for name in names}


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON; repair it, or remove it to draw new keys") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected names and values; remove it to draw new keys")
    return {str(name): str(value) for name, value in found.items()}
