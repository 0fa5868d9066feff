"""The offline twin: the declared features as SQL over stored history, equal to what the scorer computes."""

from feature_store.offline.features import offline_features, write_features

__all__ = ["offline_features", "write_features"]
