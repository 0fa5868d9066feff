-- All that is kept about one event. Ids are text or numbers, as declared.

-- name: rows_of_event
FROM scored WHERE CAST(event_id AS VARCHAR) = $event_id ORDER BY arrived_at, source_partition, source_offset;

-- name: batch_of_event
SELECT release_epoch, policy_offset, definitions FROM batches
WHERE "partition" = $partition AND first_offset <= $offset AND $offset < next_offset
ORDER BY log_offset DESC LIMIT 1;

-- name: model_of_event
SELECT run_id, manifest FROM models WHERE version = $version AND run_id IS NOT NULL AND manifest IS NOT NULL LIMIT 1;

-- name: policy_of_event
SELECT document FROM policies WHERE "offset" = $offset;

-- name: decision_of_event
SELECT message FROM decisions WHERE source_partition = $partition AND source_offset = $offset;

-- name: amendments_of_event
SELECT message FROM amendments WHERE source_partition = $partition AND source_offset = $offset
ORDER BY "partition", "offset";

-- name: outcomes_of_event
SELECT label, source, observed_at, arrived_at FROM outcomes WHERE event_id = $event_id
ORDER BY arrived_at, "partition", "offset";
