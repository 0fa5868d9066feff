"""Models in words, from what the keeper's API tells."""

from __future__ import annotations

from typing import Any

from feature_store.units import to_text


def listed(found: dict[str, Any]) -> str:
    """One version a line, with its state; champion, canary and shadows are marked."""
    release = found["release"] or {}
    versions = _versions(found)
    if not versions:
        return "no model yet: the cold-start rules decide"
    lines = [_line(one, release) for one in versions]
    lines.append(f"* acts, release epoch {release.get('epoch')}: {release.get('why')}")
    if release.get("canary"):
        lines.append(f"c canary: acts for {release['canary_share']:.0%} of the entities in its place")
    if release.get("shadows"):
        lines.append("s shadow: scores, does not act")
    return "\n".join(lines)


def _versions(found: dict[str, Any]) -> list[dict[str, Any]]:
    """All that is registered, and what is kept but was registered elsewhere, oldest first."""
    kept = {one["version"]: one for one in found["models"]}
    registry = [
        {**(one["manifest"] or {}), **kept.pop(one["version"], {}), **one}
        for one in found.get("registry", ())
    ]
    return sorted([*kept.values(), *registry], key=lambda one: one["version"])


def _line(one: dict[str, Any], release: dict[str, Any]) -> str:
    line = f"{_mark(one['version'], release)} {one['version']}"
    if "state" in one:
        line += f"  {one['state']}"
    if "trained_at" in one:
        line += (
            f"  {one['family']}  trained {one['trained_at'][:19]}  {one['rows']} rows, "
            f"{one['frauds']} frauds  average precision {_figure(one['metrics'].get('average_precision'))}"
        )
    if one.get("state") in {"refused", "rolled_back"}:
        line += f"  ({one['states'][-1]['why']})"
    return line


def shown(model: dict[str, Any]) -> str:
    """One version: its states, its lineage, its metrics and features."""
    heading = model["version"]
    if "family" in model:
        heading += f"  ({model['family']}, pipeline {model['pipeline']})"
    lines = [heading]
    lines += [
        f"  {one['state']:<12}since {to_text(one['since'])} by {one['by']}: {one['why']}"
        for one in model.get("states", ())
    ]
    if "artifact" in model:
        lines += [
            f"  trained     {model['trained_at']}",
            f"  fitted      {model['fitted_from']} to {model['fitted_until']}",
            f"  fitted on   {model['rows']} rows with {model['frauds']} frauds",
            f"  artifact    {model['artifact']['length']} bytes, sha256 {model['artifact']['sha256']}",
        ]
        if store := model["artifact"].get("store"):
            lines.append(f"  stored as   {store} in training.artifacts.store")
        if signature := model.get("signature"):
            lines.append(f"  signed by   {signature['key']}")
    lines += _lineage(model.get("lineage"))
    lines += [f"  {name:<30} {_figure(value)}" for name, value in model.get("metrics", {}).items()]
    if "features" in model:
        lines.append(f"  features  {', '.join(feature['name'] for feature in model['features'])}")
    return "\n".join(lines)


def _lineage(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    commit = f", commit {found['commit']}" if found["commit"] else ""
    return [
        f"  run         {found['run_id']} ({found['why']}), as of {found['as_of']}",
        f"  parent      {found['parent'] or 'none: no champion acted'}",
        f"  judged      {found['judged_from']} to {found['judged_until']}",
        f"  made by     {found['package']}{commit}, seed {found['seed']}",
        *(f"  gate        {reason}" for reason in found["reasons"]),
    ]


def lived(summary: dict[str, Any]) -> str:
    """Measures over matured labels, one champion a line, then all together, then the shadows."""
    if not summary["models"]:
        return "no champion has decided an event whose label has matured"
    lines = [_result(one["version"], one) for one in summary["models"]]
    lines.append(_result("all champions together", summary))
    lines += [
        f"{_result('shadow ' + one['version'], one)}; what acted on them {_figure(one['acting'])}, "
        f"difference {_sure(one['difference'])}"
        for one in summary["shadows"]
    ]
    if summary["uncorrected"]:
        lines.append(
            f"{summary['uncorrected']} of these events were stopped, and no control group stands for others "
            "like them: measures lean towards what somebody chose to look at"
        )
    return "\n".join(lines)


def _result(name: str, found: dict[str, Any]) -> str:
    overall = found["measured"]["overall"]
    area = overall["average_precision"]
    ranked = _figure(found["average_precision"]) if area["value"] is None else _sure(area)
    return (
        f"{name}  {found['events']} matured events, {found['frauds']} frauds  "
        f"average precision {ranked}  "
        f"stopped: precision {_sure(overall['precision'])}, recall {_sure(overall['recall'])}, "
        f"saved {_sure(overall['money']['saved'])}"
    )


def _sure(figure: dict[str, float | None]) -> str:
    """A figure with its interval."""
    if figure["value"] is None or figure["low"] is None:
        return _figure(figure["value"])
    return f"{_figure(figure['value'])} ({_figure(figure['low'])} to {_figure(figure['high'])})"


def released(release: dict[str, Any]) -> str:
    """A new release."""
    shadows = f", shadows {', '.join(release['shadows'])}" if release.get("shadows") else ""
    champion = release["champion"] or "no champion"
    canary = ""
    if release.get("canary"):
        canary = f", the canary {release['canary']} for {release['canary_share']:.0%} of the entities"
    return f"release epoch {release['epoch']}: {champion} acts{canary}{shadows} ({release['why']})"


def _mark(version: str, release: dict[str, Any]) -> str:
    if version == release.get("champion"):
        return "*"
    if version == release.get("canary"):
        return "c"
    return "s" if version in release.get("shadows", ()) else " "


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
