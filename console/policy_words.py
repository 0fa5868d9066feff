"""The policy in words: in the order in which its parts are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.units import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 10
"""Values of a list; the rest is in --yaml and --json."""


def shown(found: dict[str, Any]) -> str:
    """The policy in force, by precedence."""
    return "\n".join(_lines(found))


def changed(found: dict[str, Any]) -> str:
    """A policy that was just published."""
    return f"{_head(found)}; scorers take it between two batches"


def listed(versions: list[dict[str, Any]]) -> str:
    """One version a line, oldest first."""
    if not versions:
        return "no policy was published: the pipeline file's own is in force"
    return "\n".join(_head(each) for each in versions)


def _head(found: dict[str, Any]) -> str:
    document = found["document"]
    when = document["made_at"][:19].replace("T", " ")
    told = [f"version {document['version']}", when, f"{document['made_by']}: {document['why']}"]
    return "  ".join(each for each in told if each)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    document, now = found["document"], found["now"]
    yield _head(found)
    if found["offset"] >= 0 and found["differs_from_file"]:
        yield "(it differs from the pipeline file's decision section, which is not in force)"
    yield "Asked in this order; what says something first stands:"
    yield from _of_kind("1. deny lists: declined, whatever else", "deny", document, now)
    yield from _of_kind("2. allow lists: approved", "allow", document, now)
    yield "3. the strongest of"
    yield from _rules(document["rules"])
    yield f"   score: {_score(found)}"
    yield from _of_kind("   watch lists: at least reviewed", "watch", document, now)
    yield from _titled(
        "4. snoozes: no review, a decline stands", [_snooze(s, now) for s in document["snoozes"]]
    )
    yield f"5. control group: {found['control_group']:.3g} of what 3 and 4 stop is let through"


def _rules(rules: list[dict[str, Any]]) -> list[str]:
    told = [
        f"{rule['name']}: {rule['action']} when {rule['when']}"
        + (f"  (queue {rule['queue']})" if rule["queue"] else "")
        for rule in rules
    ]
    return _titled("   rules that match", told)


def _score(found: dict[str, Any]) -> str:
    document = found["document"]
    thresholds, margin = document["thresholds"], document["review_margin"]
    if thresholds is None:
        told = "the action of least expected cost"
    else:
        named = [f"{name} from {value:g}" for name, value in thresholds.items() if value is not None]
        told = ", ".join(named) or "no threshold, so nothing"
    capacity = found["review_capacity"]
    if margin is None:
        return told + (f"; {capacity} reviews a day fit without a limit" if capacity else "")
    return f"{told}; reviews from margin {margin:.4g}" + (
        f", so that {capacity} a day fit" if capacity else ""
    )


def _of_kind(title: str, kind: str, document: dict[str, Any], now: int) -> list[str]:
    lists = [each for each in document["lists"] if each["kind"] == kind]
    return _titled(title, [_list(each, now) for each in lists])


def _list(each: dict[str, Any], now: int) -> str:
    entries = [_entry(entry["value"], entry["until"], entry["note"], now) for entry in each["entries"]]
    more = f", and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return f"{each['name']}: {each['field']} {', '.join(entries[:_SHOWN]) or 'empty'}{more}"


def _snooze(snooze: dict[str, Any], now: int) -> str:
    return f"{snooze['field']} {_entry(snooze['value'], snooze['until'], snooze['why'], now)}"


def _entry(value: Any, until: str | None, note: str, now: int) -> str:
    told = [note] if note else []
    if until is not None:
        told.insert(0, "expired" if from_text(until) <= now else f"until {until[:16].replace('T', ' ')}")
    return f"{value} ({', '.join(told)})" if told else str(value)


def _titled(title: str, lines: list[str]) -> list[str]:
    return [f"{title}: none"] if not lines else [title, *(f"     {line}" for line in lines)]
