-- What the policy was: a row per version that was published, or found on the topic.

-- name: create_policies
CREATE TABLE IF NOT EXISTS policies (
    version BIGINT NOT NULL, "offset" BIGINT NOT NULL, made_at VARCHAR NOT NULL, made_by VARCHAR NOT NULL,
    why VARCHAR NOT NULL, document VARCHAR NOT NULL);

-- name: add_policy
INSERT INTO policies
SELECT $version, $offset, $made_at, $made_by, $why, $document
WHERE NOT EXISTS (FROM policies WHERE version = $version AND "offset" = $offset);

-- name: policies
SELECT version, "offset", document FROM policies ORDER BY version, "offset";
