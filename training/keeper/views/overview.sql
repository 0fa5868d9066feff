-- What the overview shows of the store. Bounded by time: the zone maps of arrived_at make it a short look.

-- name: overview_decided
-- Live decisions per stretch of $step (us); what was imported as history is none.
SELECT epoch_us(time_bucket(to_microseconds($step), arrived_at)) AS began,
    count(*) FILTER (action = 'approve') AS approve,
    count(*) FILTER (action = 'review') AS review,
    count(*) FILTER (action = 'decline') AS decline,
    count(*) FILTER (fallback IS NOT NULL) AS fallbacks
FROM scored
WHERE arrived_at >= make_timestamp($since) AND source_offset >= 0
GROUP BY began ORDER BY began;

-- name: overview_first
-- When the first live event since then arrived.
SELECT epoch_us(min(arrived_at)) AS first FROM scored
WHERE arrived_at >= make_timestamp($since) AND source_offset >= 0;

-- name: overview_money
-- What frauds would cost, or did, by what became of them; and legitimate events that were declined.
WITH known AS (
    SELECT * FROM outcomes
    WHERE arrived_at >= make_timestamp($since) AND arrived_at <= make_timestamp($now)),
{truths}
SELECT epoch_us(time_bucket(to_microseconds($step), scored.arrived_at)) AS began,
    coalesce(sum({cost}) FILTER (truths.label = 'fraud' AND action <> 'approve'), 0)::DOUBLE AS stopped,
    coalesce(sum({cost}) FILTER (
        truths.label = 'fraud' AND action = 'approve' AND policy_action = 'approve'), 0)::DOUBLE AS missed,
    coalesce(sum({cost}) FILTER (
        truths.label = 'fraud' AND action = 'approve' AND policy_action <> 'approve'), 0)::DOUBLE AS control,
    count(*) FILTER (truths.label = 'fraud') AS frauds,
    count(*) FILTER (truths.label = 'legitimate' AND action = 'decline') AS false_declines
FROM truths JOIN scored ON CAST(scored.event_id AS VARCHAR) = truths.event_id
WHERE scored.arrived_at >= make_timestamp($since) AND scored.source_offset >= 0
GROUP BY began ORDER BY began;

-- name: overview_last_run
-- The newest training that is over.
SELECT run_id, state, detail FROM runs WHERE state NOT IN ('due', 'running')
ORDER BY as_of DESC, run_id DESC LIMIT 1;
