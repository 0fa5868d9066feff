-- What the console's pages about models ask of the store.

-- name: models_decided
-- What each version decided since $since, with its shares of actions; 'none' where no model did.
SELECT coalesce(model, 'none') AS version, count(*) AS events,
    count(*) FILTER (action = 'approve') AS approved, count(*) FILTER (action = 'review') AS reviewed,
    count(*) FILTER (action = 'decline') AS declined, avg(score) AS mean_score, epoch_us(max(decided_at)) AS newest
FROM scored
WHERE arrived_at > make_timestamp($since) AND source_offset >= 0
GROUP BY ALL;
