-- Deleting a person's data. "forgotten": where their events stood; "forgotten_ids": ids that only their events have.

-- name: forget_find
CREATE OR REPLACE TEMP TABLE forgotten AS
SELECT source_partition, source_offset, CAST(event_id AS VARCHAR) AS event_id, epoch_us(event_time) AS event_time
FROM scored WHERE {field} = $value;

-- name: forget_find_ids
CREATE OR REPLACE TEMP TABLE forgotten_ids AS
SELECT DISTINCT event_id FROM forgotten ANTI JOIN (
    SELECT CAST(event_id AS VARCHAR) AS event_id FROM scored WHERE {field} IS DISTINCT FROM $value) AS others
USING (event_id);

-- name: forget_span
SELECT count(*) AS events, min(event_time) AS first_event_time, max(event_time) AS last_event_time FROM forgotten;

-- name: forget_batches
UPDATE batches SET row_count = row_count - gone.events FROM (
    SELECT batch."partition", batch.log_offset, batch.first_offset, count(*) AS events
    FROM batches AS batch JOIN forgotten ON forgotten.source_partition = batch."partition"
        AND forgotten.source_offset >= batch.first_offset AND forgotten.source_offset < batch.next_offset
    GROUP BY ALL) AS gone
WHERE batches."partition" = gone."partition" AND batches.log_offset = gone.log_offset
    AND batches.first_offset = gone.first_offset;

-- name: forget_drop
DROP TABLE forgotten;
DROP TABLE forgotten_ids;

-- name: forget_policies
SELECT version, "offset", document FROM policies WHERE contains(document, $text);

-- name: forget_in_policy
UPDATE policies SET document = $document WHERE version = $version AND "offset" = $offset;

-- name: forget_policy_lines
SELECT number, "before", "after" FROM audit
WHERE what = 'policy' AND (contains("before", $text) OR contains("after", $text));

-- name: forget_in_trail
UPDATE audit SET "before" = $before, "after" = $after WHERE number = $number;

-- name: forgotten_before
SELECT epoch_us(noted_at) AS noted_at, json_extract_string("after", '$.digest') AS digest
FROM audit WHERE what = 'forget' AND subject = $field;
