"""Sink workers: feature log and decisions as Parquet files, so that the keeper only has to take them."""
