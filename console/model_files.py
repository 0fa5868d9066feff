"""A model version's files: from the models topic, else from the folder of its training run."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from feature_store.errors import ContractError, SluicegateError, StorageError
from streams.kafka import KafkaException
from training.contract import ARTIFACT, RESULT, load_result
from training.kept import KEPT
from training.publish import read_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest


def find_model(
    version: str, pipeline: Pipeline, state_dir: Path, bootstrap: Callable[[], str]
) -> tuple[Manifest, bytes]:
    """Manifest and artifact of ``version``. ``bootstrap`` names the broker, or raises BrokerError.

    Raises SluicegateError saying where it was missed.
    """
    try:
        topic = read_models(bootstrap(), pipeline)
        if version in topic.manifests:
            return topic.manifests[version], topic.artifact(version)
    except (SluicegateError, KafkaException) as error:
        missed = str(error)
    else:
        missed = (
            f"the models topic keeps the newest {KEPT} versions and what a rollback returns to, not this one"
        )
    found = _from_runs(version, state_dir)
    if found is None:
        raise ContractError(
            f"model {version}: {missed}; and {state_dir} has no training run that released it"
        )
    return found


def write_file(path: Path, content: bytes) -> None:
    """Write what was asked for. Raises StorageError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def open_page(name: str, html: str) -> Path:
    """Show a page in the browser of this machine; the file that it is shown from."""
    path = Path(tempfile.mkdtemp(prefix="sluicegate-")) / f"{name}.html"
    write_file(path, html.encode())
    webbrowser.open(path.as_uri())
    return path


def _from_runs(version: str, state_dir: Path) -> tuple[Manifest, bytes] | None:
    for result in sorted((state_dir / "runs").glob(f"*/{RESULT}"), reverse=True):
        manifest = load_result(result.parent).manifest
        artifact = result.with_name(ARTIFACT)
        if manifest is not None and manifest.version == version and artifact.is_file():
            return manifest, artifact.read_bytes()
    return None
