"""What can go wrong with the broker.

BrokerError (feature_store.errors)
├── BrokerSpecError         the `broker` setting cannot be understood; a ConfigError too
├── KafkaUnavailableError   Java, Maven or the jars are missing: `auto` falls back on the embedded one
├── JarMismatchError        a jar is not the one that was pinned
├── BrokerStartError        the broker process ended or did not answer in time
├── BrokerUnreachableError  a given address does not answer as a Kafka broker
└── StateInUseError         another process runs a broker on the same data
"""

from feature_store.errors import BrokerError, ConfigError


class BrokerSpecError(ConfigError, BrokerError):
    """The `broker` setting cannot be understood."""


class KafkaUnavailableError(BrokerError):
    """Something that a local Apache Kafka needs is missing on this machine."""


class JarMismatchError(BrokerError):
    """A jar is missing from the resolved ones, or differs from the pinned one."""


class BrokerStartError(BrokerError):
    """The broker process ended, or did not answer in time."""


class BrokerUnreachableError(BrokerError):
    """A given address does not answer as a Kafka broker."""


class StateInUseError(BrokerError):
    """Another process runs a broker on the same data."""
