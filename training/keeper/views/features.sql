-- What features were lately: the end of `scored`, which is written in the order of the log.

-- name: features_end
SELECT count(*) AS row_count FROM scored;

-- name: features_recent
-- Live decisions from a place on.
SELECT arrived_at, score{columns} FROM scored WHERE rowid >= $first AND source_offset >= 0;
