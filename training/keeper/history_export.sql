-- What leaves the store beside events, deltas and definitions: history_export.py.

-- name: exported_outcomes
SELECT event_id, label, source, observed_at, arrived_at, "partition", "offset" FROM outcomes;

-- name: exported_policies
SELECT version, "offset", document FROM policies ORDER BY "offset";
