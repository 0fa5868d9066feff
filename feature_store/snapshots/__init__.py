"""Snapshots: committed state kept beside the feature log, so that a restart need not read all of it."""

from __future__ import annotations

from feature_store.objects import ObjectFolder, open_folder
from feature_store.snapshots.format import PartitionPosition, Snapshot
from feature_store.snapshots.shelf import Shelf
from feature_store.snapshots.state import capture, install, units_of
from feature_store.snapshots.writer import SnapshotWriter

__all__ = [
    "ObjectFolder",
    "PartitionPosition",
    "Shelf",
    "Snapshot",
    "SnapshotWriter",
    "capture",
    "install",
    "open_folder",
    "units_of",
]
