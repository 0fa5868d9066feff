"""The trainer: one child process per training run, from a Parquet snapshot to a verdict and an artifact."""
