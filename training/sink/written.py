"""Messages as a stretch's tables and manifest: with the keeper's own code, so that both store alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.claims import Claims
from training.keeper.log_rows import log_tables
from training.keeper.rows import decision_tables
from training.sink.stretch import LOG_OFFSET, Kind, LogMessage, Stretch, Traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.claims import Claimed
    from streams.kafka import Message

Tables = dict[str, pa.Table]


class _All(Claims):
    """Every message goes in: the keeper knows which claim was in force before, and picks."""

    def superseded(self, partition: int, offset: int, meta: Claimed) -> bool:
        """Whether ``meta`` says otherwise does not matter here."""
        del partition, offset, meta
        return False


def written(cluster: str, topic: str, kind: Kind, messages: Sequence[Message]) -> tuple[Stretch, Tables]:
    """What the messages of one partition become. Raises ContractError naming the one that is malformed."""
    empty = Stretch(cluster, topic, {})
    if not messages:
        return empty, {}
    if kind == "decisions":
        decisions, amendments = decision_tables(messages)
        return empty, {"decisions": decisions, "amendments": amendments}
    return _logged(cluster, topic, messages)


def _logged(cluster: str, topic: str, messages: Sequence[Message]) -> tuple[Stretch, Tables]:
    found = log_tables(messages, _All())
    if found is None:
        return Stretch(cluster, topic, {}), {}
    scored, offsets = found.scored, found.batches["log_offset"].to_numpy()
    newest = pc.max(scored["arrived_at"]).cast(pa.int64()).as_py() if scored.num_rows else None
    stretch = Stretch(
        cluster,
        topic,
        {},
        messages=[LogMessage(**row) for row in found.batches.to_pylist()],
        definitions={digest: dict(hashes) for digest, hashes in found.definitions.items()},
        traces=[Traced(**row) for row in found.traces.to_pylist()],
        said=sorted(found.said),
        newest=int(newest or 0),
        late=bool(pc.any(scored["late"]).as_py()),
    )
    counts = found.batches["row_count"].to_numpy()
    return stretch, {
        "scored": _numbered(scored, np.repeat(offsets, counts)),
        "deltas": _numbered(found.deltas, np.repeat(offsets, found.delta_counts)),
    }


def _numbered(rows: pa.Table, offsets: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Table:
    return rows.append_column(LOG_OFFSET, pa.array(offsets, pa.int64())) if rows.num_rows else rows
