-- What stores of older versions lack, a step per version. Each step is of its time: it is not changed afterwards.

-- name: create_about
CREATE TABLE IF NOT EXISTS about (name VARCHAR NOT NULL, value VARCHAR NOT NULL);

-- name: migrate_1_to_2
-- Stores of version 1 grew by columns, one release after the other: any of these may be there.
ALTER TABLE IF EXISTS batches ADD COLUMN IF NOT EXISTS definitions VARCHAR;  -- NULL: from before they were kept
ALTER TABLE IF EXISTS batches ADD COLUMN IF NOT EXISTS claim BIGINT;
ALTER TABLE IF EXISTS batches ADD COLUMN IF NOT EXISTS claimed_at BIGINT;
ALTER TABLE IF EXISTS late_events ADD COLUMN IF NOT EXISTS trace VARCHAR[];
ALTER TABLE IF EXISTS models ALTER COLUMN epoch DROP NOT NULL;
ALTER TABLE IF EXISTS models ALTER COLUMN run_id DROP NOT NULL;
ALTER TABLE IF EXISTS models ALTER COLUMN manifest DROP NOT NULL;
ALTER TABLE IF EXISTS models ADD COLUMN IF NOT EXISTS lineage VARCHAR;
ALTER TABLE IF EXISTS runs ADD COLUMN IF NOT EXISTS dry BOOLEAN DEFAULT false;
ALTER TABLE IF EXISTS runs ADD COLUMN IF NOT EXISTS cause VARCHAR;
ALTER TABLE IF EXISTS runs ADD COLUMN IF NOT EXISTS alerts_until BIGINT;
ALTER TABLE IF EXISTS runs ADD COLUMN IF NOT EXISTS holder VARCHAR;
ALTER TABLE IF EXISTS runs ADD COLUMN IF NOT EXISTS trust_data BOOLEAN DEFAULT false;

-- name: migrate_2_to_3
-- Stages before the last count outcomes, too: how far each of their topics is.
CREATE TABLE IF NOT EXISTS stage_routing (topic VARCHAR NOT NULL, sent BIGINT NOT NULL);
