-- The matured, labelled events: what was known at $as_of, and nothing that was learned later.
--
-- Reads the relations `scored` (rows of the feature log) and `outcomes`
-- (event_id, label, source, arrived_at, partition, offset).
-- Gives every column of `scored`, and:
--   label   'fraud' or 'legitimate'
--   weight  how many events of its kind the row stands for: 1 / propensity in the control group, at most $weight_cap
with
known as (select * from outcomes where arrived_at <= $as_of),
/* truths.sql */,
-- An event counts once its silence would mean something, whether or not somebody spoke before:
-- taking the early frauds alone would make every young day look worse than it is.
mature as (
    select *
    from scored
    where event_time <= $matured_until and arrived_at <= $as_of
),
-- Silence means legitimate only where the event was let through; a stopped one stays unlabelled.
labelled as (
    select
        mature.*,
        coalesce(truths.label, if(mature.action = 'approve', 'legitimate', null)) as label
    from mature
    left join truths on truths.event_id = cast(mature.event_id as varchar)
)
select
    *,
    case
        when policy_action <> 'approve' and action = 'approve'
            then if(propensity * $weight_cap > 1, 1 / propensity, $weight_cap)
        else 1.0
    end::double as weight
from labelled
where label is not null
