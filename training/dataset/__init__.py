"""The training set: matured events with their labels and weights, split in time."""
