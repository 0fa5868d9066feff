"""Models in words, from what the keeper's API tells."""

from __future__ import annotations

from typing import Any


def listed(found: dict[str, Any]) -> str:
    """One version a line, the champion and the shadows marked."""
    release = found["release"] or {}
    if not found["models"]:
        return "no model yet: the cold-start rules decide"
    lines = [
        f"{_mark(one['version'], release)} {one['version']}  {one['family']}  "
        f"trained {one['trained_at'][:19]}  {one['rows']} rows, {one['frauds']} frauds  "
        f"average precision {_figure(one['metrics'].get('average_precision'))}"
        for one in found["models"]
    ]
    lines.append(f"* acts, release epoch {release.get('epoch')}: {release.get('why')}")
    if release.get("shadows"):
        lines.append("s shadow: scores, does not act")
    return "\n".join(lines)


def shown(model: dict[str, Any]) -> str:
    """One version with its metrics and features."""
    lines = [
        f"{model['version']}  ({model['family']}, pipeline {model['pipeline']})",
        f"  trained   {model['trained_at']}",
        (f"  fitted    {model['fitted_from']} to {model['fitted_until']}, "
        f"{model['rows']} rows with {model['frauds']} frauds"),
        f"  artifact  {model['artifact']['length']} bytes, sha256 {model['artifact']['sha256']}",
    ]  # fmt: skip
    lines += [f"  {name:<30} {_figure(value)}" for name, value in model["metrics"].items()]
    lines.append(f"  features  {', '.join(feature['name'] for feature in model['features'])}")
    return "\n".join(lines)


def lived(summary: dict[str, Any]) -> str:
    """Average precision over matured labels, one champion a line, then all together, then the shadows."""
    if not summary["models"]:
        return "no champion has decided an event whose label has matured"
    lines = [_result(one["version"], one) for one in summary["models"]]
    lines.append(_result("all champions together", summary))
    lines += [
        _result("shadow " + one["version"], one) + f", what acted on them {_figure(one['acting'])}"
        for one in summary["shadows"]
    ]
    return "\n".join(lines)


def _result(name: str, found: dict[str, Any]) -> str:
    return (
        f"{name}  {found['events']} matured events, {found['frauds']} frauds  "
        f"average precision {_figure(found['average_precision'])}"
    )


def released(release: dict[str, Any]) -> str:
    """A new release."""
    shadows = f", shadows {', '.join(release['shadows'])}" if release.get("shadows") else ""
    champion = release["champion"] or "no champion"
    return f"release epoch {release['epoch']}: {champion} acts{shadows} ({release['why']})"


def _mark(version: str, release: dict[str, Any]) -> str:
    if version == release.get("champion"):
        return "*"
    return "s" if version in release.get("shadows", ()) else " "


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
