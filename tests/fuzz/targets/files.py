"""The pipeline file: it is a pipeline, or an error that names the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.declaration.load import load_pipeline, own_secrets
from feature_store.errors import ConfigError
from tests.fuzz.small import SMALL
from tests.fuzz.target import Ready, Target
from tests.support.payments import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

_WORDS = [
    "!!python/object/apply:os.system [id]", "!!binary aGk=", "!!set {a}", "!!omap [a: 1]",
    "!!timestamp 2001-99-99", "2001-99-99", "2001-12-14t21:59:43.10-05:00", "&a", "*a", "<<: *a",
    "&a [*a, *a]", "{? [a] : b}", "0x" + "f" * 40,
    "1" * 5_000, ".inf", ".nan", "190:20:30", "0o17", "${SLUICEGATE_CONTROL_KEY}", "${", "${A}", "---", "...",
    "? ", "- ",
    "[" * 200, "{a: " * 200, "|\n  x", ">\n  y", '"\\ud800"', '"\\0"', "\x85", "%YAML 9.9\n---\n",
    "1h", "0s",
    "99999999999d", "decimal(99,99)", "decimal(18,18)", "null", "~", "yes",
    "entity: [card, shop]", "where: weight > 0",
    "staged: true", "delay: 1h", "empty: .nan", "partitions: 1000000000",
    "format: avro", "format: protobuf",
]  # fmt: skip


def _pipeline_file(folder: Path) -> Ready:
    path = folder / "pipeline.yaml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        own_secrets(path)
        try:
            load_pipeline(path, ENVIRONMENT)
        except ConfigError:
            return

    large = (
        SMALL + "training: {schedule: '0 3 * * *', time_limit: 20s}\nserving: {device: cpu}\nmonitoring: {}\n"
    )
    keyed = SMALL.replace("clock: stream", "clock: wall\nkafka: {security.protocol: PLAINTEXT}")
    return Ready(check, [SMALL.encode(), large.encode(), keyed.encode()], [word.encode() for word in _WORDS])


TARGETS = [Target("pipeline-file", "the pipeline file", _pipeline_file)]
