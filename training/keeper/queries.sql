-- Instants are TIMESTAMP in UTC. Tables that are written per micro-batch have no index: index-backed upserts
-- grow without bound, and one writer that moves rows and offsets together needs none.

-- name: create_tables
CREATE TABLE IF NOT EXISTS about (name VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (topic VARCHAR NOT NULL, "partition" INTEGER NOT NULL, next_offset BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    "partition" INTEGER NOT NULL, log_offset BIGINT NOT NULL, source_topic VARCHAR NOT NULL,
    first_offset BIGINT NOT NULL, next_offset BIGINT NOT NULL, row_count INTEGER NOT NULL,
    duplicates INTEGER NOT NULL, dead_letters INTEGER NOT NULL,
    release_epoch BIGINT NOT NULL, policy_offset BIGINT NOT NULL, definitions VARCHAR);
ALTER TABLE batches ADD COLUMN IF NOT EXISTS definitions VARCHAR;  -- NULL: from before they were kept
CREATE TABLE IF NOT EXISTS definitions (digest VARCHAR NOT NULL, name VARCHAR NOT NULL, hash VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    "partition" INTEGER NOT NULL, "offset" BIGINT NOT NULL, event_id VARCHAR NOT NULL,
    source_topic VARCHAR NOT NULL, source_partition INTEGER NOT NULL, source_offset BIGINT NOT NULL,
    action VARCHAR NOT NULL, release_epoch BIGINT NOT NULL, message VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    "partition" INTEGER NOT NULL, "offset" BIGINT NOT NULL, event_id VARCHAR NOT NULL, label VARCHAR NOT NULL,
    source VARCHAR NOT NULL, observed_at TIMESTAMP NOT NULL, arrived_at TIMESTAMP NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes_refused (
    "partition" INTEGER NOT NULL, "offset" BIGINT NOT NULL, reason VARCHAR NOT NULL, message BLOB);
CREATE TABLE IF NOT EXISTS runs (
    run_id VARCHAR NOT NULL, why VARCHAR NOT NULL, as_of TIMESTAMP NOT NULL, shuffle_labels BOOLEAN NOT NULL,
    state VARCHAR NOT NULL, attempts INTEGER NOT NULL, champion VARCHAR, detail VARCHAR, result VARCHAR);
CREATE TABLE IF NOT EXISTS models (
    version VARCHAR NOT NULL, epoch BIGINT NOT NULL, run_id VARCHAR NOT NULL, manifest VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS alerts (
    kind VARCHAR NOT NULL, text VARCHAR NOT NULL, raised_at TIMESTAMP NOT NULL, details VARCHAR NOT NULL);
-- Events known as fraud whose row has not come.
CREATE TABLE IF NOT EXISTS waiting (event_id VARCHAR NOT NULL);
-- One row: the last delta that Kafka has, and the order of sources under which every outcome is routed
-- (NULL: some are not, since no feature counted outcomes when they came).
CREATE TABLE IF NOT EXISTS routing (sent BIGINT NOT NULL, precedence VARCHAR[]);
INSERT INTO routing SELECT 0, NULL WHERE NOT EXISTS (FROM routing);
CREATE OR REPLACE VIEW latest_outcomes AS
    SELECT * FROM outcomes
    QUALIFY row_number() OVER (
        PARTITION BY event_id, source ORDER BY arrived_at DESC, "partition" DESC, "offset" DESC) = 1;

-- name: about
SELECT value FROM about WHERE name = $name;

-- name: set_about
INSERT INTO about VALUES ($name, $value);

-- name: create_views
CREATE OR REPLACE VIEW routed AS SELECT event_id, sum(fraud)::TINYINT AS fraud FROM outbox GROUP BY event_id;

-- name: columns_of
SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $table AND NOT internal;

-- name: fill_decided_seq
UPDATE scored SET decided_seq = seq WHERE decided_seq IS NULL;

-- name: add_definitions
INSERT INTO definitions
SELECT DISTINCT digest, name, hash FROM incoming ANTI JOIN definitions USING (digest);

-- name: stored_offsets
SELECT topic, "partition", next_offset FROM offsets;

-- name: move_offsets
UPDATE offsets SET next_offset = moved.next_offset FROM incoming_offsets AS moved
WHERE offsets.topic = moved.topic AND offsets."partition" = moved."partition";

-- name: add_offset
INSERT INTO offsets VALUES ($topic, $partition, $next_offset);

-- name: newest_arrival
SELECT epoch_us(max(arrived_at)) FROM scored;

-- name: row_counts
SELECT
    (SELECT count(*) FROM scored) AS scored,
    (SELECT count(*) FROM decisions) AS decisions,
    (SELECT count(*) FROM outcomes) AS outcomes,
    (SELECT count(*) FROM outcomes_refused) AS outcomes_refused,
    (SELECT count(*) FROM deltas) AS deltas,
    (SELECT count(*) FROM outbox, routing WHERE route_seq > sent) AS deltas_to_send,
    (SELECT count(*) FROM waiting) AS outcomes_waiting,
    (SELECT coalesce(sum(duplicates), 0)::BIGINT FROM batches) AS duplicates,
    (SELECT coalesce(sum(dead_letters), 0)::BIGINT FROM batches) AS dead_letters;

-- name: routing
SELECT sent, precedence, (SELECT coalesce(max(route_seq), 0) FROM outbox) AS last FROM routing;

-- name: set_sent
UPDATE routing SET sent = greatest(sent, $sent);

-- name: set_precedence
UPDATE routing SET precedence = $precedence;

-- name: touched
-- The events whose truth may differ from what is routed, by the outcomes and events that just came. A word of
-- fraud cannot make a fraud legitimate, nor the other way round: most of what is said is settled here.
WITH before AS (
    SELECT event_id, sum(fraud) AS fraud FROM outbox
    WHERE event_id IN (SELECT event_id FROM incoming_outcomes)
    GROUP BY event_id)
SELECT outcome.event_id
FROM incoming_outcomes AS outcome LEFT JOIN before USING (event_id)
WHERE (outcome.label = 'fraud') <> (coalesce(before.fraud, 0) = 1)
   OR outcome.event_id IN (SELECT event_id FROM waiting)
UNION
SELECT event_id FROM waiting
WHERE event_id IN (SELECT CAST(event_id AS VARCHAR) FROM incoming_events);

-- name: touched_all
SELECT DISTINCT event_id FROM outcomes;

-- name: changed
-- Where the truth about the events in `touched` is not what is routed.
WITH known AS (SELECT * FROM outcomes WHERE event_id IN (SELECT event_id FROM touched)),
{truths},
before AS (
    SELECT event_id, sum(fraud) AS fraud FROM outbox
    WHERE event_id IN (SELECT event_id FROM touched)
    GROUP BY event_id)
SELECT truths.event_id, truths.arrived_at, truths."partition", truths."offset",
    CAST(if(truths.label = 'fraud', 1, 0) - coalesce(before.fraud, 0) AS TINYINT) AS delta,
    before.event_id IS NOT NULL AS routed_before
FROM truths LEFT JOIN before USING (event_id)
WHERE delta <> 0;

-- name: place_again
-- What was routed before goes the same way again.
FROM changed JOIN outbox USING (event_id)
WHERE changed.routed_before
QUALIFY row_number() OVER (PARTITION BY changed.event_id ORDER BY outbox.route_seq DESC) = 1;

-- name: place_new
FROM scored JOIN changed ON CAST(scored.event_id AS VARCHAR) = changed.event_id
WHERE NOT changed.routed_before AND scored.arrived_at >= make_timestamp($since)
QUALIFY row_number() OVER (
    PARTITION BY changed.event_id ORDER BY scored.arrived_at, scored.source_partition, scored.source_offset) = 1;

-- name: add_deltas
INSERT INTO outbox BY NAME
SELECT * EXCLUDE ("partition", "offset"), $last + row_number() OVER (
    ORDER BY arrived_at, "partition", "offset", event_id) AS route_seq
FROM placed;

-- name: no_longer_waiting
DELETE FROM waiting WHERE event_id IN (SELECT event_id FROM touched);

-- name: now_waiting
INSERT INTO waiting SELECT event_id FROM changed ANTI JOIN placed USING (event_id);

-- name: to_send
FROM outbox WHERE route_seq > $sent ORDER BY route_seq LIMIT $most;

-- name: add_run
INSERT INTO runs
VALUES ($run_id, $why, make_timestamp($as_of), $shuffle_labels, 'due', 0, NULL, NULL, NULL);

-- name: postpone_run
UPDATE runs SET as_of = make_timestamp($as_of) WHERE run_id = $run_id;

-- name: start_run
UPDATE runs SET state = 'running', attempts = attempts + 1, champion = $champion WHERE run_id = $run_id;

-- name: end_run
UPDATE runs SET state = $state, detail = $detail, result = $result WHERE run_id = $run_id;

-- name: resume_runs
UPDATE runs SET state = 'due' WHERE state = 'running';

-- name: all_runs
SELECT run_id, why, epoch_us(as_of) AS as_of, shuffle_labels, state, attempts, champion, detail, result
FROM runs ORDER BY as_of, run_id;

-- name: add_model
INSERT INTO models VALUES ($version, $epoch, $run_id, $manifest);

-- name: add_alert
INSERT INTO alerts VALUES ($kind, $text, make_timestamp($raised_at), $details);

-- name: snapshot_rows
FROM scored
WHERE arrived_at <= make_timestamp($as_of) AND event_time > make_timestamp($since);

-- name: snapshot_outcomes
SELECT event_id, label, source, observed_at, arrived_at, "partition", "offset"
FROM outcomes WHERE arrived_at <= make_timestamp($as_of);
