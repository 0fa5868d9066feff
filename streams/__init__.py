"""Everything that runs on Kafka: the broker, the messages, the scorer, the monitor, event sources."""
