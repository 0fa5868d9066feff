"""What a card says in words: what the model is, what its figures do not say, where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.units import format_duration, to_text
from streams.models.libraries import lightgbm, xgboost
from training.card.html import hidden, items, paragraph, table
from training.code_version import code_version

if TYPE_CHECKING:
    from streams.messages import Calibration, Recipe
    from training.card.material import Material
    from training.evaluation.measured import Measured

_NAMES = {"lightgbm": "LightGBM", "xgboost": "XGBoost"}
_LIBRARIES = {"lightgbm": lightgbm.__version__, "xgboost": xgboost.__version__}
_FEW_FRAUDS = 100


def title(model: str) -> str:
    """What the page is about."""
    return f"Model card: {model}"


def subtitle(material: Material) -> str:
    """One line below the title."""
    request = material.request
    return (
        f"pipeline {request.pipeline}, training run {request.run_id} ({request.why}), as of "
        f"{to_text(request.as_of)}"
    )


def purpose(material: Material) -> str:
    """What the model does, for whom."""
    pipeline, manifest = material.pipeline, material.manifest
    acts = (
        "It passed the gate; what acts now is for `sluicegate models list` to say."
        if material.result.verdict == "passed"
        else "The gate refused it: it does not act, and is kept with its reasons."
    )
    return paragraph(
        f"A {_NAMES[manifest.family]} model of {len(manifest.features)} features that gives every event of "
        f"the topic {pipeline.topics.events!r} a probability of fraud. With the costs of the pipeline file "
        "that becomes an action: approve, review or decline, whichever is expected to cost least; rules and "
        f"lists may ask for a stronger one. {acts}"
    )


def limits(material: Material, ours: Measured) -> str:
    """What it must not be used for, and what the figures do not say, from how the labels came about."""
    return items([*_uses(material), *_labels(material, ours), *_judged_and_released(material)])


def _uses(material: Material) -> list[str]:
    manifest = material.manifest
    known = (
        f"It knows the events of the pipeline {manifest.pipeline!r} between {manifest.fitted_from} and "
        f"{manifest.fitted_until}. It must not be used for other populations, products or countries, nor "
        "with features that are computed in another way: a scorer refuses it where a definition has changed."
    )
    person = (
        "A score is the probability that an event is fraud, not a judgement on a person. It must not set "
        "prices, limits or credit, and contributions of features are no causes."
    )
    new = (
        "A kind of fraud that the fitted stretch does not have is found by chance only, until it has been "
        "labelled and learned."
    )
    live = (
        "This page is of one night. How the model does now is for `sluicegate models live` and the monitor "
        "to say."
    )
    return [known, person, new, live]


def _labels(material: Material, ours: Measured) -> list[str]:
    outcomes, overall = material.pipeline.outcomes, ours.overall
    maturity = (
        f"Silence means legitimate only after {format_duration(outcomes.maturity)}, so newer events are left "
        f"out. Where sources disagree, the one named first wins: {', '.join(outcomes.sources)}. Fraud that "
        "nobody ever reports counts as legitimate."
    )
    rate = outcomes.control_group.rate
    stopped = "Events that were stopped and got no outcome are in no figure. " + (
        f"A control group of {rate:.1%} of what would have been stopped was let through at random, and "
        "stands for the others by weight."
        if rate > 0
        else "There is no control group: how good it is where the gate stops events is unknown."
    )
    weight = (
        f"The {overall.events:,} events of the figures say as much as {overall.effective_events:,.0f} of "
        "equal weight would."
    )
    few = (
        f"{overall.frauds} frauds are few: differences inside the intervals are no differences."
        if overall.frauds < _FEW_FRAUDS
        else ""
    )
    return [each for each in (maturity, stopped, weight, few) if each]


def _judged_and_released(material: Material) -> list[str]:
    released = material.released
    if released is None or released.fitted_until == material.model.manifest.fitted_until:
        return []
    return [
        (
            "The figures are of the fit that was judged. What is released has the same parameters and as "
            f"many trees, fitted again on everything matured until {released.fitted_until}; that both agree "
            "was checked."
        )
    ]


def lineage(material: Material) -> str:
    """Where it comes from, enough to make it again."""
    manifest, result, request = material.manifest, material.result, material.request
    recipe, artifact = manifest.recipe, manifest.artifact
    parent = request.champion.version if request.champion else "none: there was no champion"
    fitted = f"{manifest.rows:,} events, {manifest.frauds:,} frauds"
    rows = [
        ["version", manifest.version],
        ["parent", parent],
        ["training run", f"{request.run_id}, {request.why}, as of {to_text(request.as_of)}"],
        ["fitted on", f"{manifest.fitted_from} to {manifest.fitted_until}: {fitted}"],
        ["judged on", f"{result.judged_from} to {result.judged_until}, by a fit until {result.fitted_until}"],
        ["artifact", f"{artifact.length:,} bytes, SHA-256 {artifact.sha256}"],
        ["calibration", _calibration(manifest.calibration, recipe)],
        ["code", _code(manifest.family)],
    ]
    features = [[feature.name, feature.hash, feature.dtype] for feature in manifest.features]
    listed = table(["feature", "definition", "type"], features)
    body = table(["what", "which"], rows)
    if recipe is not None:
        body += hidden("Recipe: seed, rounds, parameters", table(["parameter", "value"], _recipe(recipe)))
    return body + hidden(f"{len(features)} features and the hashes of their definitions", listed)


def _code(family: str) -> str:
    code = code_version()
    commit = f", commit {code.commit}" if code.commit else ""
    return f"{code.package}{commit}, files {code.files[:12]}, {family} {_LIBRARIES[family]}"


def _calibration(calibration: Calibration, recipe: Recipe | None) -> str:
    kind = recipe.calibration if recipe else "platt"
    if calibration.knots:
        return f"{kind}, {len(calibration.knots)} knots"
    return f"{kind}, slope {calibration.slope:.4g}, intercept {calibration.intercept:.4g}"


def _recipe(recipe: Recipe) -> list[list[str]]:
    told = [["seed", str(recipe.seed)], ["boosting rounds", str(recipe.rounds)]]
    told.append(["share of legitimate events fitted on", f"{recipe.legitimate:g}"])
    told.append(["weight of a fraud", f"{recipe.fraud_weight:g}"])
    told += [[f"monotone: {name}", way] for name, way in recipe.monotone.items()]
    if recipe.categorical:
        told.append(["categorical", ", ".join(recipe.categorical)])
    if recipe.begun_with:
        told.append(["begun with the trees of", recipe.begun_with])
    if recipe.dropped_trees:
        told.append(["trees dropped after the fit", ", ".join(map(str, recipe.dropped_trees))])
    return told + [[name, str(value)] for name, value in sorted(recipe.parameters.items())]
