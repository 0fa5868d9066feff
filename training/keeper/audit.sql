-- Who changed what. Lines are only added.

-- name: create_audit
CREATE TABLE IF NOT EXISTS audit (
    number BIGINT NOT NULL, noted_at TIMESTAMP NOT NULL, changed_at TIMESTAMP NOT NULL, who VARCHAR NOT NULL,
    role VARCHAR NOT NULL, via VARCHAR NOT NULL, what VARCHAR NOT NULL, subject VARCHAR NOT NULL,
    "before" VARCHAR, "after" VARCHAR);

-- name: add_audit
INSERT INTO audit
SELECT coalesce(max(number), 0) + 1, make_timestamp($noted_at), make_timestamp($changed_at), $who, $role, $via,
    $what, $subject, $before, $after
FROM audit;

-- name: newest_audit
SELECT number, epoch_us(noted_at) AS noted_at, epoch_us(changed_at) AS changed_at, who, role, via, what, subject,
    "before", "after"
FROM audit
WHERE ($before IS NULL OR number < $before) AND ($who = '' OR who = $who) AND ($what = '' OR what = $what)
    AND ($subject = '' OR contains(subject, $subject))
ORDER BY number DESC LIMIT $most;

-- name: audit_kinds
SELECT DISTINCT what FROM audit ORDER BY what;
