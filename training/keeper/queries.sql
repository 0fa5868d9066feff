-- Instants are TIMESTAMP in UTC. Tables that are written per micro-batch have no index: index-backed upserts
-- grow without bound, and one writer that moves rows and offsets together needs none.

-- name: create_tables
-- As they are now; migrations.sql brings older ones there. A change here is a step there.
CREATE TABLE IF NOT EXISTS offsets (topic VARCHAR NOT NULL, "partition" INTEGER NOT NULL, next_offset BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    "partition" INTEGER NOT NULL, log_offset BIGINT NOT NULL, source_topic VARCHAR NOT NULL,
    first_offset BIGINT NOT NULL, next_offset BIGINT NOT NULL, row_count INTEGER NOT NULL,
    duplicates INTEGER NOT NULL, dead_letters INTEGER NOT NULL,
    release_epoch BIGINT NOT NULL, policy_offset BIGINT NOT NULL, definitions VARCHAR,
    -- Under which claim of the log it was written (feature_store/claims.py); NULL or 0: under none.
    claim BIGINT, claimed_at BIGINT);
CREATE TABLE IF NOT EXISTS definitions (digest VARCHAR NOT NULL, name VARCHAR NOT NULL, hash VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    "partition" INTEGER NOT NULL, "offset" BIGINT NOT NULL, event_id VARCHAR NOT NULL,
    source_topic VARCHAR NOT NULL, source_partition INTEGER NOT NULL, source_offset BIGINT NOT NULL,
    action VARCHAR NOT NULL, release_epoch BIGINT NOT NULL, message VARCHAR NOT NULL);
-- Late events whose decision may be amended, and under what they were decided. "settled" says what became of
-- each; NULL: that is not known yet.
CREATE TABLE IF NOT EXISTS late_events (
    source_partition INTEGER NOT NULL, source_offset BIGINT NOT NULL,
    policy_offset BIGINT NOT NULL, definitions VARCHAR NOT NULL, settled VARCHAR, trace VARCHAR[]);
-- Amended decisions as they stand on the topic, and the place of the one that each replaces.
CREATE TABLE IF NOT EXISTS amendments (
    "partition" INTEGER NOT NULL, "offset" BIGINT NOT NULL, event_id VARCHAR NOT NULL,
    source_partition INTEGER NOT NULL, source_offset BIGINT NOT NULL,
    replaced_partition INTEGER NOT NULL, replaced_offset BIGINT NOT NULL,
    action VARCHAR NOT NULL, message VARCHAR NOT NULL);
-- Partitions of the feature log that had lost their beginning when this store first read them.
CREATE TABLE IF NOT EXISTS gaps ("partition" INTEGER NOT NULL, log_start BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    "partition" INTEGER NOT NULL, "offset" BIGINT NOT NULL, event_id VARCHAR NOT NULL, label VARCHAR NOT NULL,
    source VARCHAR NOT NULL, observed_at TIMESTAMP NOT NULL, arrived_at TIMESTAMP NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes_refused (
    "partition" INTEGER NOT NULL, "offset" BIGINT NOT NULL, reason VARCHAR NOT NULL, message BLOB);
CREATE TABLE IF NOT EXISTS runs (
    run_id VARCHAR NOT NULL, why VARCHAR NOT NULL, as_of TIMESTAMP NOT NULL, shuffle_labels BOOLEAN NOT NULL,
    state VARCHAR NOT NULL, attempts INTEGER NOT NULL, champion VARCHAR, detail VARCHAR, result VARCHAR,
    dry BOOLEAN DEFAULT false, cause VARCHAR, alerts_until BIGINT, holder VARCHAR,
    trust_data BOOLEAN DEFAULT false);
CREATE TABLE IF NOT EXISTS alerts (
    kind VARCHAR NOT NULL, text VARCHAR NOT NULL, raised_at TIMESTAMP NOT NULL, details VARCHAR NOT NULL);
-- Events known as fraud whose row has not come.
CREATE TABLE IF NOT EXISTS waiting (event_id VARCHAR NOT NULL);
-- Outcomes of an imported history that the clock has not reached.
CREATE TABLE IF NOT EXISTS to_come (event_id VARCHAR NOT NULL, arrived_at TIMESTAMP NOT NULL);
-- One row: the last delta that Kafka has, and the order of sources under which every outcome is routed
-- (NULL: some are not, since no feature counted outcomes when they came).
CREATE TABLE IF NOT EXISTS routing (sent BIGINT NOT NULL, precedence VARCHAR[]);
INSERT INTO routing SELECT 0, NULL WHERE NOT EXISTS (FROM routing);
-- The same for the topic of each stage before the last that counts outcomes.
CREATE TABLE IF NOT EXISTS stage_routing (topic VARCHAR NOT NULL, sent BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS imports (digest VARCHAR NOT NULL, history VARCHAR NOT NULL);
CREATE OR REPLACE VIEW latest_outcomes AS
    SELECT * FROM outcomes
    QUALIFY row_number() OVER (
        PARTITION BY event_id, source ORDER BY arrived_at DESC, "partition" DESC, "offset" DESC) = 1;

-- name: about
SELECT value FROM about WHERE name = $name;

-- name: set_about
INSERT INTO about VALUES ($name, $value);

-- name: forget_about
DELETE FROM about WHERE name = $name;

-- name: create_views
-- Which message a row came in, and so what it was computed under. Places are found apart: a search over whole
-- rows would sort whole rows.
CREATE OR REPLACE VIEW placed_rows AS
    SELECT scored.*, place.definitions, place.log_offset
    FROM scored LEFT JOIN (
        SELECT event.source_partition, event.source_offset, batch.definitions, batch.log_offset
        FROM scored AS event ASOF JOIN (FROM batches WHERE first_offset < next_offset) AS batch
        ON event.source_partition = batch."partition" AND event.source_offset >= batch.first_offset
        WHERE event.source_offset < batch.next_offset) AS place
    ON scored.source_partition = place.source_partition AND scored.source_offset = place.source_offset;
-- What every topic has.
CREATE OR REPLACE VIEW all_sent AS
    SELECT min(sent) AS sent FROM (SELECT sent FROM routing UNION ALL SELECT sent FROM stage_routing);
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

-- name: held_claims
-- The claim of the last message of each partition that counts.
SELECT "partition", claim, if(claimed_at < 0, log_offset, claimed_at) AS claimed_at FROM batches
QUALIFY row_number() OVER (PARTITION BY "partition" ORDER BY log_offset DESC) = 1 AND claim > 0;

-- name: decided_until
SELECT source_topic, source_partition, "partition", max(source_offset) AS last FROM decisions GROUP BY ALL;

-- name: move_offsets
UPDATE offsets SET next_offset = moved.next_offset FROM incoming_offsets AS moved
WHERE offsets.topic = moved.topic AND offsets."partition" = moved."partition";

-- name: add_offset
INSERT INTO offsets VALUES ($topic, $partition, $next_offset);

-- name: forget_offsets
DELETE FROM offsets WHERE topic = $topic;

-- name: add_gap
INSERT INTO gaps VALUES ($partition, $log_start);

-- name: newest_arrival
SELECT epoch_us(max(arrived_at)) AS newest FROM scored;

-- name: row_counts
SELECT
    (SELECT count(*) FROM scored) AS scored,
    (SELECT count(*) FROM decisions) AS decisions,
    (SELECT count(*) FROM amendments) AS amendments,
    (SELECT count(*) FROM late_events WHERE settled IS NULL) AS late_events_waiting,
    (SELECT count(*) FROM outcomes) AS outcomes,
    (SELECT count(*) FROM outcomes_refused) AS outcomes_refused,
    (SELECT count(*) FROM deltas) AS deltas,
    (SELECT count(*) FROM outbox, all_sent WHERE route_seq > sent) AS deltas_to_send,
    (SELECT count(*) FROM waiting) AS outcomes_waiting,
    (SELECT coalesce(sum(duplicates), 0)::BIGINT FROM batches) AS duplicates,
    (SELECT coalesce(sum(dead_letters), 0)::BIGINT FROM batches) AS dead_letters;

-- name: routing
-- What was sent may have been deleted since (forget.sql): its numbers are not given again.
SELECT sent, precedence, greatest(sent, (SELECT coalesce(max(route_seq), 0) FROM outbox)) AS last
FROM routing;

-- name: set_sent
UPDATE routing SET sent = greatest(sent, $sent);

-- name: sent
SELECT sent FROM routing;

-- name: sent_to_stages
SELECT topic, sent FROM stage_routing;

-- name: set_sent_to_stage
UPDATE stage_routing SET sent = greatest(sent, $sent) WHERE topic = $topic;

-- name: forget_other_stages
DELETE FROM stage_routing WHERE topic NOT IN (SELECT unnest($topics::VARCHAR[]));

-- name: add_stages
INSERT INTO stage_routing
SELECT topic, 0 FROM (SELECT unnest($topics::VARCHAR[]) AS topic) ANTI JOIN stage_routing USING (topic);

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
WHERE event_id IN (SELECT CAST(event_id AS VARCHAR) FROM incoming_events)
UNION
SELECT event_id FROM to_come WHERE arrived_at <= make_timestamp($now);

-- name: any_waiting
SELECT EXISTS (FROM waiting);

-- name: any_due
SELECT EXISTS (FROM to_come WHERE arrived_at <= make_timestamp($now));

-- name: touched_all
SELECT DISTINCT event_id FROM outcomes;

-- name: changed
-- Where the truth about the events in `touched` is not what is routed.
WITH known AS (
    SELECT * FROM outcomes
    WHERE event_id IN (SELECT event_id FROM touched) AND ("partition" >= 0 OR arrived_at <= make_timestamp($now))),
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

-- name: no_longer_to_come
DELETE FROM to_come WHERE arrived_at <= make_timestamp($now);

-- name: now_waiting
INSERT INTO waiting SELECT event_id FROM changed ANTI JOIN placed USING (event_id);

-- name: to_send
FROM outbox WHERE route_seq > $sent ORDER BY route_seq LIMIT $most;

-- name: add_alert
INSERT INTO alerts VALUES ($kind, $text, make_timestamp($raised_at), $details);

-- name: snapshot_rows
FROM scored
WHERE arrived_at <= make_timestamp($as_of) AND event_time > make_timestamp($since);

-- name: snapshot_outcomes
SELECT event_id, label, source, observed_at, arrived_at, "partition", "offset"
FROM outcomes WHERE arrived_at <= make_timestamp($as_of);

-- name: exported_events
FROM placed_rows;

-- name: exported_deltas
SELECT * FROM deltas;

-- name: exported_definitions
SELECT * FROM definitions;

-- name: imported
SELECT (SELECT count(*) FROM imports WHERE digest = $digest) AS same,
    (SELECT count(*) FROM scored WHERE source_offset < 0) AS past,
    (SELECT count(*) FROM scored WHERE source_offset >= 0) AS live,
    (SELECT count(*) FROM outbox) AS routed;

-- name: unsound_events
SELECT count(*) AS row_count,
    count(*) FILTER (source_offset >= 0) AS "rows at a source offset of 0 or more",
    count(*) FILTER (source_partition NOT BETWEEN 0 AND $partitions - 1) AS "rows on a partition that is none",
    count(*) FILTER (event_id IS NULL OR event_time IS NULL OR arrived_at IS NULL OR seq IS NULL
        OR decided_seq IS NULL OR source_partition IS NULL OR source_offset IS NULL) AS "rows without id, time or place",
    count(*) FILTER (policy_action IS DISTINCT FROM 'approve' OR action IS DISTINCT FROM 'approve'
        OR propensity IS DISTINCT FROM 1.0 OR model IS NOT NULL) AS "rows that were not simply let through",
    count(*) - count(DISTINCT event_id) AS "events that are there twice",
    count(*) - count(DISTINCT (source_partition, source_offset)) AS "rows at a source offset of another",
    count(*) - count(DISTINCT (source_partition, seq)) AS "rows with the applied order of another"
FROM given;

-- name: unsound_outcomes
SELECT count(*) AS row_count,
    count(*) FILTER ("partition" IS DISTINCT FROM -1) AS "outcomes on another partition than -1",
    count(*) - count(DISTINCT "offset") AS "outcomes at the offset of another",
    count(*) FILTER (event_id IS NULL OR source IS NULL OR observed_at IS NULL OR arrived_at IS NULL)
        AS "outcomes without event, source or time",
    count(*) FILTER (coalesce(label, '') NOT IN ('fraud', 'legitimate')) AS "outcomes with another label"
FROM given;

-- name: unsound_deltas
SELECT count(*) AS row_count,
    count(*) - count(DISTINCT route_seq) FILTER (route_seq > 0) AS "deltas without a route_seq of their own",
    count(*) FILTER (seq IS NULL OR event_time IS NULL OR let_through IS NULL OR coalesce(fraud, 0) NOT IN (1, -1))
        AS "deltas that say nothing",
    (SELECT count(*) FROM given ANTI JOIN scored ON given.event_id = CAST(scored.event_id AS VARCHAR)
        AND given.source_partition = scored.source_partition) AS "deltas of events that are not there",
    (SELECT count(*) FROM (SELECT event_id FROM given GROUP BY event_id HAVING sum(fraud) NOT IN (0, 1)))
        AS "events that are fraud twice"
FROM given;

-- name: add_past_batches
INSERT INTO batches BY NAME
SELECT source_partition AS "partition", -1 AS log_offset, $topic AS source_topic, min(source_offset) AS first_offset,
    max(source_offset) + 1 AS next_offset, count(*) AS row_count, 0 AS duplicates, 0 AS dead_letters,
    0 AS release_epoch, 0 AS policy_offset, $digest AS definitions
FROM scored WHERE source_offset < 0 GROUP BY source_partition;

-- name: add_routed
INSERT INTO outbox BY NAME SELECT * EXCLUDE (seq) FROM deltas;

-- name: add_to_come
INSERT INTO to_come SELECT event_id, arrived_at FROM outcomes WHERE "partition" < 0;

-- name: all_are_sent
UPDATE routing SET sent = (SELECT coalesce(max(route_seq), 0) FROM outbox);
UPDATE stage_routing SET sent = (SELECT coalesce(max(route_seq), 0) FROM outbox);

-- name: add_import
INSERT INTO imports VALUES ($digest, $history);

-- name: definitions_of
-- Under which hashes the rows of a feature were computed; NULL: it was not declared, or that was not kept.
SELECT DISTINCT definitions.hash
FROM (SELECT DISTINCT definitions FROM batches WHERE row_count > 0) AS used
LEFT JOIN definitions ON definitions.digest = used.definitions AND definitions.name = $name;

-- name: before_definitions
FROM placed_rows WHERE definitions IS NULL;

-- name: matched
-- The messages whose rows the file covers, and how many of their rows.
CREATE OR REPLACE TEMP TABLE matched AS
SELECT source_partition AS "partition", log_offset, definitions, count(*) AS matched
FROM placed_rows
WHERE CAST(event_id AS VARCHAR) IN (SELECT CAST(event_id AS VARCHAR) FROM given)
GROUP BY ALL;

-- name: covered_definitions
SELECT DISTINCT coalesce(matched.definitions, '') AS definitions
FROM matched JOIN batches USING ("partition", log_offset)
WHERE matched.matched = batches.row_count;

-- name: hashes
SELECT name, hash FROM definitions WHERE digest = $digest;

-- name: credit
UPDATE batches SET definitions = $after
FROM matched
WHERE batches."partition" = matched."partition" AND batches.log_offset = matched.log_offset
  AND coalesce(batches.definitions, '') = $before AND matched.matched = batches.row_count;
