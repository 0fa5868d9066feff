-- What pages of decisions read. Searches go back in stretches of arrival time, by which DuckDB passes over the rest.

-- name: decisions_span
SELECT epoch_us(min(arrived_at)) AS first, epoch_us(max(arrived_at)) AS last FROM scored;

-- name: decisions_between
-- The newest decisions of a stretch, before a place where one is given.
SELECT {columns}
FROM scored
WHERE arrived_at > make_timestamp($after) AND arrived_at <= make_timestamp($until) AND source_offset >= 0 {conditions}
ORDER BY arrived_at DESC, source_partition DESC, source_offset DESC
LIMIT $most;

-- name: decisions_models
-- What has decided lately, for the choices of a filter.
SELECT DISTINCT model FROM scored
WHERE arrived_at > make_timestamp($since) AND model IS NOT NULL ORDER BY model;

-- name: decisions_messages
SELECT source_partition, source_offset, message FROM decisions JOIN asked USING (source_partition, source_offset);

-- name: decisions_truths
-- What is said to be true of the events in `asked`, by all that is known.
WITH known AS (
    SELECT * FROM outcomes WHERE event_id IN (SELECT event_id FROM asked)),
{truths}
SELECT event_id, label FROM truths;

-- name: decisions_of_entity
-- The newest events of an entity beside one of them; those of an imported history have an offset below 0.
SELECT {columns}
FROM scored
WHERE arrived_at > make_timestamp($after) AND ({entity})
ORDER BY arrived_at DESC, source_partition DESC, source_offset DESC
LIMIT $most;

-- name: decisions_entity_counts
WITH mine AS MATERIALIZED (
    SELECT CAST(event_id AS VARCHAR) AS event_id, action FROM scored
    WHERE arrived_at > make_timestamp($after) AND ({entity}))
SELECT count(*) AS events, count(*) FILTER (action = 'review') AS reviewed,
    count(*) FILTER (action = 'decline') AS declined,
    (SELECT count(DISTINCT event_id) FROM outcomes
     WHERE label = 'fraud' AND event_id IN (SELECT event_id FROM mine)) AS frauds
FROM mine;
