-- Reviews that wait, and those that were done.

-- name: review_waiting
-- Stopped events about which nobody has said anything, the most at stake first.
SELECT {columns}, {stake} AS stake, count(*) OVER () AS waiting, sum({stake}) OVER () AS at_stake
FROM scored ANTI JOIN outcomes ON CAST(scored.event_id AS VARCHAR) = outcomes.event_id
WHERE scored.arrived_at > make_timestamp($since) AND {stopped} AND source_offset >= 0
    {conditions}
ORDER BY stake DESC, margin DESC NULLS LAST, scored.arrived_at, source_partition, source_offset
LIMIT $most;

-- name: review_done
-- Events about which the source said something since the day began, and those that were found to be fraud.
SELECT count(*) AS done, count(*) FILTER (label = 'fraud') AS frauds
FROM (
    SELECT event_id, arg_max(label, row(arrived_at, "partition", "offset")) AS label FROM outcomes
    WHERE source = $source AND arrived_at >= make_timestamp($day) GROUP BY event_id);

-- name: review_verdicts
-- What people said on these pages, the newest first.
SELECT epoch_us(changed_at) AS changed_at, who, subject AS event_id, "after" FROM audit
WHERE what = 'verdict' ORDER BY number DESC LIMIT $most;

-- name: verdicts_before
-- Whether the event is stored, and what the source last said of it.
SELECT EXISTS (FROM scored WHERE CAST(event_id AS VARCHAR) = $event_id) AS stored,
    (SELECT label FROM outcomes WHERE event_id = $event_id AND source = $source
     ORDER BY arrived_at DESC, "partition" DESC, "offset" DESC LIMIT 1) AS label;

-- name: review_item
SELECT {columns}, {stake} AS stake FROM scored
WHERE CAST(scored.event_id AS VARCHAR) = $event_id AND source_offset >= 0
ORDER BY scored.arrived_at DESC, source_partition DESC, source_offset DESC LIMIT 1;
