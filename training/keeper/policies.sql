-- What the policy was: a row per version that was published, or found on the topic.

-- name: create_policies
CREATE TABLE IF NOT EXISTS policies (
    version BIGINT NOT NULL, "offset" BIGINT NOT NULL, made_at VARCHAR NOT NULL, made_by VARCHAR NOT NULL,
    why VARCHAR NOT NULL, document VARCHAR NOT NULL);

-- name: add_policy
INSERT INTO policies
SELECT $version, $offset, $made_at, $made_by, $why, $document
WHERE NOT EXISTS (FROM policies WHERE version = $version AND "offset" = $offset);

-- name: policies
SELECT version, "offset", document FROM policies ORDER BY version, "offset";

-- name: recent_scores
-- What the score alone decided about since $since, apart from what rules and lists settle whatever it says.
SELECT margin, score, model IS DISTINCT FROM $model AS of_another, {amount} AS amount
FROM scored
WHERE arrived_at > make_timestamp($since) AND source_offset >= 0 AND score IS NOT NULL AND margin IS NOT NULL
    AND NOT list_has_any(coalesce(rules, []), $settling);

-- name: recent_span
-- Since when there were events and scores, and how many reviews rules and watch lists asked for.
SELECT epoch_us(min(arrived_at)) AS first_event,
    epoch_us(min(arrived_at) FILTER (score IS NOT NULL)) AS first_score,
    count(*) FILTER (policy_action = 'review' AND list_has_any(coalesce(rules, []), $asking)) AS ruled
FROM scored
WHERE arrived_at > make_timestamp($since) AND source_offset >= 0;

-- name: waiting_reviews
-- Reviews of the day about which nobody has said anything.
SELECT count(*) AS waiting
FROM scored ANTI JOIN outcomes ON CAST(scored.event_id AS VARCHAR) = outcomes.event_id
WHERE scored.action = 'review' AND scored.decided_at >= make_timestamp($day) AND scored.source_offset >= 0;
