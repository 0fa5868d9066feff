-- The registry: every version that was trained, where it came from, and what became of it. What acts is what
-- the models topic says; this says how it came to.

-- name: create_registry
-- "manifest" NULL: the run gave none; "lineage" NULL: trained before it was kept, or by another store's keeper.
CREATE TABLE IF NOT EXISTS models (
    version VARCHAR NOT NULL, epoch BIGINT, run_id VARCHAR, manifest VARCHAR, lineage VARCHAR);
-- What a version was, since when and why; the last row of a version is what it is. "by": hand or policy.
CREATE TABLE IF NOT EXISTS model_states (
    number BIGINT NOT NULL, version VARCHAR NOT NULL, state VARCHAR NOT NULL, since TIMESTAMP NOT NULL,
    epoch BIGINT, "by" VARCHAR NOT NULL, why VARCHAR NOT NULL);

-- name: forget_model
DELETE FROM models WHERE version = $version;

-- name: add_model
INSERT INTO models BY NAME
SELECT $version AS version, $run_id AS run_id, $manifest AS manifest, $lineage AS lineage;

-- name: add_released_model
-- A version of which this store knows nothing but that it was released.
INSERT INTO models BY NAME
SELECT $version AS version, $epoch AS epoch WHERE NOT EXISTS (FROM models WHERE version = $version);

-- name: first_epoch
UPDATE models SET epoch = $epoch WHERE version = $version AND epoch IS NULL;

-- name: add_model_state
INSERT INTO model_states
SELECT coalesce(max(number), 0) + 1, $version, $state, make_timestamp($since), $epoch, $by, $why FROM model_states;

-- name: all_models
SELECT version, epoch, run_id, manifest, lineage FROM models ORDER BY rowid;

-- name: all_model_states
SELECT version, state, epoch_us(since) AS since, epoch, "by", why FROM model_states ORDER BY number;

-- name: present_states
SELECT version, state, epoch_us(since) AS since, epoch, "by", why FROM model_states
QUALIFY row_number() OVER (PARTITION BY version ORDER BY number DESC) = 1
ORDER BY number;

-- name: was_rolled_back
SELECT EXISTS (FROM model_states WHERE version = $version AND state = 'rolled_back') AS found;
