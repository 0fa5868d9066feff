-- What is true about each event, by the relation `known`
-- (event_id, label, source, arrived_at, partition, offset: everything that had been said).
-- Two common table expressions. `truths` has a row per event: event_id, label, and the word that decided.
--
-- 1. A source's word about an event is its latest.
words as (
    select cast(event_id as varchar) as event_id, source, label, arrived_at, "partition", "offset"
    from known
    qualify row_number() over (
        partition by cast(event_id as varchar), source
        order by arrived_at desc, "partition" desc, "offset" desc
    ) = 1
),
-- 2. Between sources the declared order decides; sources that are not declared come last, the latest of them first.
truths as (
    select event_id, label, arrived_at, "partition", "offset"
    from words
    qualify row_number() over (
        partition by event_id
        order by
            coalesce(nullif(list_position($precedence, source), 0), len($precedence) + 1),
            arrived_at desc, "partition" desc, "offset" desc
    ) = 1
)
