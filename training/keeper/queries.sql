-- Instants are TIMESTAMP in UTC. Tables that are written per micro-batch have no index: index-backed upserts
-- grow without bound, and one writer that moves rows and offsets together needs none.

-- name: create_tables
CREATE TABLE IF NOT EXISTS about (name VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (topic VARCHAR NOT NULL, "partition" INTEGER NOT NULL, next_offset BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    "partition" INTEGER NOT NULL, log_offset BIGINT NOT NULL, source_topic VARCHAR NOT NULL,
    first_offset BIGINT NOT NULL, next_offset BIGINT NOT NULL, row_count INTEGER NOT NULL,
    duplicates INTEGER NOT NULL, dead_letters INTEGER NOT NULL,
    release_epoch BIGINT NOT NULL, policy_offset BIGINT NOT NULL);
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
CREATE OR REPLACE VIEW latest_outcomes AS
    SELECT * FROM outcomes
    QUALIFY row_number() OVER (
        PARTITION BY event_id, source ORDER BY arrived_at DESC, "partition" DESC, "offset" DESC) = 1;

-- name: about
SELECT value FROM about WHERE name = $name;

-- name: set_about
INSERT INTO about VALUES ($name, $value);

-- name: columns_of_scored
SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'scored' AND NOT internal;

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
    (SELECT coalesce(sum(duplicates), 0)::BIGINT FROM batches) AS duplicates,
    (SELECT coalesce(sum(dead_letters), 0)::BIGINT FROM batches) AS dead_letters;

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
