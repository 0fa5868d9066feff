-- Training runs. "holder" has the lease of one that runs: the keeper that started it. "alerts_until" is how far the
-- alerts topic had been read when it was asked for; NULL for drills, which answer no alert.

-- name: add_run
INSERT INTO runs (run_id, why, as_of, shuffle_labels, state, attempts, dry, trust_data, cause, alerts_until)
VALUES ($run_id, $why, make_timestamp($as_of), $shuffle_labels, 'due', 0, $dry, $trust_data, $cause, $alerts_until);

-- name: postpone_run
UPDATE runs SET as_of = make_timestamp($as_of), cause = $cause, alerts_until = $alerts_until
WHERE run_id = $run_id AND state = 'due' RETURNING run_id;

-- name: start_run
UPDATE runs SET state = 'running', attempts = attempts + 1, champion = $champion, holder = $holder
WHERE run_id = $run_id AND state = 'due' RETURNING run_id;

-- name: end_run
UPDATE runs SET state = $state, detail = $detail, result = $result, holder = NULL
WHERE run_id = $run_id AND (state = 'due' OR state = 'running' AND holder = $holder) RETURNING run_id;

-- name: resume_runs
UPDATE runs SET state = 'due', holder = NULL WHERE state = 'running' AND holder IS DISTINCT FROM $holder;

-- name: all_runs
SELECT run_id, why, epoch_us(as_of) AS as_of, shuffle_labels, state, attempts, champion, detail, result, dry, cause,
    trust_data
FROM runs ORDER BY as_of, run_id;

-- name: last_run
SELECT epoch_us(max(as_of)) AS as_of, coalesce(bool_or(state IN ('due', 'running')), false) AS open,
    max(alerts_until) AS alerts_until
FROM runs WHERE NOT dry AND NOT shuffle_labels;

-- name: said_fraud
-- No more can have become known: only a word of fraud makes one.
SELECT count(DISTINCT event_id) AS frauds FROM outcomes
WHERE label = 'fraud' AND arrived_at > make_timestamp($since) AND arrived_at <= make_timestamp($now);

-- name: new_frauds
-- Events that are fraud by what was known at $now, and were not by what was known at $since. Only those of which
-- anything was said in between are looked at.
WITH touched AS MATERIALIZED (
    SELECT event_id FROM outcomes
    WHERE arrived_at > make_timestamp($since) AND arrived_at <= make_timestamp($now)),
said AS MATERIALIZED (
    SELECT * FROM outcomes
    WHERE event_id IN (SELECT event_id FROM touched) AND arrived_at <= make_timestamp($now))
SELECT count(*) AS frauds FROM (
    (WITH known AS (FROM said),
    {truths}
    SELECT event_id FROM truths WHERE label = 'fraud')
    EXCEPT
    (WITH known AS (FROM said WHERE arrived_at <= make_timestamp($since)),
    {truths}
    SELECT event_id FROM truths WHERE label = 'fraud'));
