-- What the console's page about the policy asks of the store.

-- name: policy_fired
-- How often rules, lists and snoozes had their say since $since, and how many of these events were stopped.
SELECT name, count(*) AS events, count(*) FILTER (action <> 'approve') AS stopped
FROM (
    SELECT unnest(rules) AS name, action FROM scored
    WHERE arrived_at > make_timestamp($since) AND source_offset >= 0 AND len(rules) > 0)
GROUP BY ALL;
