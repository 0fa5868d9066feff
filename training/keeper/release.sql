-- What is known of how versions do, for stages and alarms.

-- name: newest_decided
-- The newest events that were decided under an epoch or a later one, the newest first. Epochs never go back
-- within a partition: one place parts what came before. The time of the oldest that can be among them is found
-- first, by which all of the store but its end is passed over: 0.1 s instead of 3 s on 10 million events.
WITH began AS (
    SELECT "partition", min(first_offset) AS first_offset FROM batches
    WHERE release_epoch >= $epoch AND row_count > 0 AND first_offset >= 0 GROUP BY "partition")
SELECT {key} AS key, model, fallback, score, epoch_us(arrived_at) AS arrived_at, epoch_us(decided_at) AS decided_at
    {features}
FROM scored JOIN began ON source_partition = began."partition" AND source_offset >= began.first_offset
WHERE arrived_at >= greatest(make_timestamp($since), (
    SELECT min(arrived_at) FROM (SELECT arrived_at FROM scored ORDER BY arrived_at DESC LIMIT $most)))
ORDER BY arrived_at DESC LIMIT $most;

-- name: newest_before
-- The newest events that were decided before an epoch and arrived since $since, the newest first.
WITH began AS (
    SELECT "partition", min(first_offset) AS first_offset FROM batches
    WHERE release_epoch >= $epoch AND row_count > 0 AND first_offset >= 0 GROUP BY "partition")
SELECT model, fallback, score, epoch_us(arrived_at) AS arrived_at, epoch_us(decided_at) AS decided_at
FROM scored LEFT JOIN began ON source_partition = began."partition"
WHERE (first_offset IS NULL OR source_offset < first_offset) AND arrived_at >= make_timestamp($since)
ORDER BY arrived_at DESC LIMIT $most;

-- name: paired_scores
-- Matured events in `given` that $version scored, as shadow or acting, and the score beside it: what acted, or
-- where $version acted itself, the champion.
SELECT fraud, weight, entity, event_time,
    if(acted, score, shadow[$version]) AS ours, if(acted, shadow[$champion], score) AS theirs
FROM (
    SELECT given.*, given.model = $version AS acted,
        CAST(json_extract(message, '$.shadow') AS MAP(VARCHAR, DOUBLE)) AS shadow
    FROM given JOIN decisions USING (source_partition, source_offset)
    WHERE release_epoch >= $epoch AND message NOT LIKE '%"shadow":{}%')
WHERE ours IS NOT NULL AND theirs IS NOT NULL;

-- name: newest_beside
-- Of the newest events that somebody scored since an epoch: how many, and how many of them $version scored too.
WITH began AS (
    SELECT "partition", min(first_offset) AS first_offset FROM batches
    WHERE release_epoch >= $epoch AND row_count > 0 AND first_offset >= 0 GROUP BY "partition"),
newest AS (
    SELECT source_partition, source_offset
    FROM scored JOIN began ON source_partition = began."partition" AND source_offset >= began.first_offset
    WHERE arrived_at >= make_timestamp($since) AND score IS NOT NULL
    ORDER BY arrived_at DESC LIMIT $most)
SELECT count(*), count(*) FILTER (contains(message, '"' || $version || '":'))
FROM newest JOIN decisions USING (source_partition, source_offset);

-- name: acted_on
-- The newest of the labelled events in `given` that $version decided since it acts, with their features.
WITH began AS (
    SELECT "partition", min(first_offset) AS first_offset FROM batches
    WHERE release_epoch >= $epoch AND row_count > 0 AND first_offset >= 0 GROUP BY "partition")
SELECT given.fraud, given.weight, given.entity, given.score AS ours{features}
FROM given JOIN scored USING (source_partition, source_offset)
JOIN began ON source_partition = began."partition" AND source_offset >= began.first_offset
WHERE given.model = $version AND given.score IS NOT NULL
ORDER BY scored.arrived_at DESC LIMIT $most;
