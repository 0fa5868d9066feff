"""The errors people meet, as one tree.

SluicegateError
├── ConfigError          the pipeline file, or what it asks of this machine, is wrong
├── PolicyError          a policy document does not fit the pipeline, or one of its rules is unsound
├── BadEventError             one record is refused and becomes a dead letter
├── ContractError        a stored or published thing does not fit what is declared
│   └── MisfitError      a model needs features that are not declared as it knew them
├── BrokerError          no Kafka, or it does not answer
│   └── SchemaUnavailableError  the schema registry does not answer; events wait
├── StateError           state and log do not fit together; processing must not go on
└── StorageError         the keeper's store or the snapshots cannot be opened, read or written
    └── CorruptSnapshotError  one snapshot is torn, altered or not one of ours
"""

from __future__ import annotations


class SluicegateError(Exception):
    """Base of every error that is reported as one line, without a traceback."""

    exit_code = 1


class ConfigError(SluicegateError):
    """The pipeline file is wrong. The message names the key, what was found and the cure."""

    exit_code = 2


class PolicyError(SluicegateError):
    """A policy document cannot act. The message names the rule, list or value, and says why."""

    exit_code = 2


class BadEventError(SluicegateError):
    """One record is refused.

    ``reason`` is a stable word for counting and filtering, ``detail`` is for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ContractError(SluicegateError):
    """A model, message or stored format does not fit what this pipeline declares."""


class MisfitError(ContractError):
    """A sound model that was fitted on features which are not declared any more, or are another thing now."""


class BrokerError(SluicegateError):
    """No Kafka could be found or started, or it stopped answering."""

    exit_code = 3


class SchemaUnavailableError(BrokerError):
    """The schema registry does not answer, so it cannot be told what an event is; it is asked again."""


class StateError(SluicegateError):
    """State, log and committed offsets do not agree, so going on would give wrong decisions."""

    exit_code = 4


class StorageError(SluicegateError):
    """A store is held by another process, damaged, out of reach, or behind the log's start."""

    exit_code = 5


class CorruptSnapshotError(StorageError):
    """One snapshot is torn, altered, or not one of ours; an older one or the feature log takes its place."""
