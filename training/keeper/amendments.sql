-- Late events whose decision may be amended.

-- name: add_late_events
INSERT INTO late_events BY NAME
SELECT row.source_partition, row.source_offset, batch.policy_offset, batch.definitions, traces.trace
FROM incoming AS row JOIN incoming_batches AS batch
ON row.source_partition = batch."partition" AND row.source_offset >= batch.first_offset
    AND row.source_offset < batch.next_offset
LEFT JOIN traces USING (source_partition, source_offset)
WHERE row.late;

-- name: any_late_waiting
SELECT EXISTS (FROM late_events WHERE settled IS NULL);

-- name: late_waiting
FROM late_events WHERE settled IS NULL ORDER BY source_partition, source_offset LIMIT $most;

-- name: settle_read_back
UPDATE late_events SET settled = 'amended' FROM amendments
WHERE late_events.settled IS NULL AND late_events.source_partition = amendments.source_partition
    AND late_events.source_offset = amendments.source_offset;

-- name: settle
UPDATE late_events SET settled = incoming.settled FROM incoming
WHERE late_events.source_partition = incoming.source_partition
    AND late_events.source_offset = incoming.source_offset;

-- name: late_rows
-- No declared field has a name with a point in it.
SELECT scored.*, asked.policy_offset AS "asked.policy_offset", asked.definitions AS "asked.definitions",
    asked.trace AS "asked.trace"
FROM scored JOIN asked USING (source_partition, source_offset)
ORDER BY source_partition, source_offset;

-- name: late_decisions
FROM decisions JOIN asked USING (source_partition, source_offset);

-- name: gaps
-- Where the log was cut off: nothing that arrived before "until" need be in the store.
SELECT gaps."partition", epoch_us(min(scored.arrived_at)) AS until
FROM gaps LEFT JOIN scored ON scored.source_partition = gaps."partition" AND scored.source_offset >= 0
GROUP BY gaps."partition";

-- name: policy_at
SELECT document FROM policies WHERE "offset" = $offset;

-- name: deltas_between
FROM deltas WHERE epoch_us(event_time) > $since AND epoch_us(event_time) <= $until;
