-- What leaves the store beside events, deltas and definitions: history_export.py.

-- name: exported_outcomes
SELECT event_id, label, source, observed_at, arrived_at, "partition", "offset" FROM outcomes;

-- name: exported_routed
-- What an earlier stage may know that the last has not heard of.
SELECT * FROM deltas
UNION ALL BY NAME
SELECT * EXCLUDE (arrived_at) FROM outbox ANTI JOIN deltas USING (route_seq);

-- name: exported_policies
SELECT version, "offset", document FROM policies ORDER BY "offset";
