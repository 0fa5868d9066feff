"""The job that other engines are given is the one that the scorer does."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.job import Customer, decode
from benchmarks.workload import FEATURES, payments, pipeline
from feature_store.decode_batch import BatchDecoder
from feature_store.store import FeatureStore

EVENTS = 3_000


def test_the_peers_features_are_those_of_the_feature_store() -> None:
    declared = pipeline()
    stream = list(payments(EVENTS))
    store = FeatureStore(declared)
    store.add_partition(0)
    decoded = BatchDecoder(declared.event).decode([payment.value for payment in stream])
    expected = store.observe(decoded.events, np.zeros(EVENTS, np.int64))

    customers: dict[str, Customer] = {}
    rows = []
    for payment in stream:
        event = decode(payment.value)
        rows.append(customers.setdefault(event.customer_id, Customer()).observe(event))

    assert np.array(rows).shape == (EVENTS, FEATURES)
    np.testing.assert_allclose(np.array(rows), expected, rtol=1e-9)
    assert (expected[:, 0] > 0).any() or (expected[:, 3] > 0).any()  # customers come back within an hour


def test_the_same_seed_gives_the_same_payments_of_the_promised_size() -> None:
    first, second = list(payments(500)), list(payments(700))

    assert first == second[:500]
    assert list(payments(500, seed=2)) != first
    assert 360 < np.mean([len(payment.value) for payment in first]) < 400
