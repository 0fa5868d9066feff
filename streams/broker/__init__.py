"""Which Kafka is used, and running one on this machine.

```python
with running_broker("auto", state_dir=Path(".sluicegate"), progress=print) as broker:
    connect(broker.bootstrap)
```
"""

from feature_store.errors import BrokerError
from streams.broker.errors import (
    BrokerSpecError,
    BrokerStartError,
    BrokerUnreachableError,
    JarMismatchError,
    KafkaUnavailableError,
    StateInUseError,
)
from streams.broker.running import running_broker
from streams.broker.spec import Broker, BrokerKind, parse_spec

__all__ = [
    "Broker",
    "BrokerError",
    "BrokerKind",
    "BrokerSpecError",
    "BrokerStartError",
    "BrokerUnreachableError",
    "JarMismatchError",
    "KafkaUnavailableError",
    "StateInUseError",
    "parse_spec",
    "running_broker",
]
