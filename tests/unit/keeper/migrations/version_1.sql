-- The keeper's store of schema version 1, as its first release made it.
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

