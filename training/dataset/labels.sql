-- The matured, labelled events: what was known at $as_of, and nothing that was learned later.
--
-- Reads the relations `scored` (rows of the feature log) and `outcomes`
-- (event_id, label, source, arrived_at, partition, offset).
-- Gives every column of `scored`, and:
--   label       'fraud' or 'legitimate'
--   weight      for judging: how many events the row stands for; 0: it is not judged by
--   fit_weight  for fitting: the same, with what was said about stopped events; never 0
-- docs/discussions/labels.md says why there are two.
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
),
-- What the policy would stop, by what it asked and by the chance of being let through all the same.
stopped as (
    select
        policy_action,
        propensity,
        action = 'approve' as control,
        coalesce(truths.label, if(mature.action = 'approve', 'legitimate', null)) as label
    from mature
    left join truths on truths.event_id = cast(mature.event_id as varchar)
    where policy_action <> 'approve' and propensity > 0
),
strata as (
    select
        policy_action,
        propensity,
        count(*) as events,
        count(*) filter (control) as control,
        count(*) filter (control and label = 'fraud') as control_frauds,
        count(*) filter (label = 'fraud') as frauds,
        count(*) filter (label = 'legitimate') as legitimate
    from stopped
    group by policy_action, propensity
),
-- The frauds in a stratum: the control group's share of it, but no fewer than are known, and no more than
-- leaves room for the legitimate ones that are known.
estimated as (
    select *, greatest(frauds, least(events - legitimate, events * control_frauds / control)) as all_frauds
    from strata
    where control > 0
)
select
    labelled.*,
    case
        when policy_action <> 'approve' and action = 'approve'
            then if(propensity * $weight_cap > 1, 1 / propensity, $weight_cap)
        when policy_action <> 'approve' and propensity > 0 then 0.0
        else 1.0
    end::double as weight,
    case
        when estimated.events is null then 1.0
        when label = 'fraud' then least($weight_cap, all_frauds / frauds)
        else least($weight_cap, (events - all_frauds) / legitimate)
    end::double as fit_weight
from labelled
left join estimated using (policy_action, propensity)
where label is not null
