"""The keeper and what it starts: storage, labels, retraining, gate and publication."""
