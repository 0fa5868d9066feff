"""An in-memory, single-node Kafka broker in pure Python: for first steps and quick tests only."""
