-- Backups of the store.

-- name: backed_up_tables
SELECT table_name FROM duckdb_tables()
WHERE database_name = $database AND schema_name = 'main' AND NOT internal AND NOT temporary ORDER BY table_name;

-- name: backed_up_about
SELECT name, value FROM about;

-- name: backed_up_offsets
SELECT topic, "partition", next_offset FROM offsets ORDER BY topic, "partition";
