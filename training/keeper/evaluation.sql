-- How well models score, by labels that have matured.

-- name: shadow_scores
-- What each shadow gave for the labelled events in `given`, beside the score that was acted on.
SELECT entry.key AS version, entry.value AS shadow_score, given.*
FROM (
    SELECT source_partition, source_offset,
        unnest(map_entries(CAST(json_extract(message, '$.shadow') AS MAP(VARCHAR, DOUBLE)))) AS entry
    FROM decisions WHERE message NOT LIKE '%"shadow":{}%') AS shadowed
JOIN given USING (source_partition, source_offset)
ORDER BY given.decided_at, version;
