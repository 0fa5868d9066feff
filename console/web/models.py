"""The pages about models: every version with what became of it, and all that is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.web.kept import Kept
from console.web.model_figures import figures_of, interval_bar, others_of
from console.web.release_forms import release_forms
from console.web.stage_words import stage_words
from training.contract import CARD
from training.keeper.cards import card
from training.keeper.evaluation import evaluate
from training.keeper.views.models import Version, Versions, decided_lately, named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.routing import Route

    from console.web.kept import Found
    from console.web.routing import Routes
    from console.web.site import Site
    from console.web.visitor import Visitor
    from streams.messages import Release

_MEASURED_FOR_S = 600.0
"""How long measures by matured labels are shown before they are taken anew: labels come slowly, and taking
them costs seconds of a core."""
_SHOWN = 100
"""Versions on the page, the newest; what is released is told above them."""
_CARD_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
}
"""A card is HTML that a training run drew: it may be looked at, and do nothing."""


def routes(to: Routes) -> list[Route]:
    """The pages, the card, and the forms that make releases."""
    pages = _Pages(to.site)
    to.site.templates.filters["interval_bar"] = interval_bar
    return [
        to.page("/models", "models.html", pages.all),
        to.page("/models/{version}", "model.html", pages.one),
        to.document("/models/{version}/card", _card, _CARD_HEADERS),
        *release_forms(to),
    ]


@dataclass(frozen=True)
class Line:
    """A parent or child of a version; ``state`` None: nothing is known of it but its name."""

    name: str
    state: str | None


class _Pages:
    """What the templates are given; versions and measures are kept between requests."""

    def __init__(self, site: Site) -> None:
        self._desk = site.desk
        self._versions = Versions(site.desk)
        self._measured: Kept[dict[str, Any]] = Kept(
            "measures by matured labels",
            lambda: evaluate(site.desk.parts),
            for_s=_MEASURED_FOR_S,
            patience_s=0.2,
        )

    def all(self, _site: Site, request: Request, _visitor: Visitor) -> dict[str, Any]:
        """Every version, what acts, and how well it does."""
        release = self._desk.parts.publisher.release()
        versions = self._versions.all()
        whole = "all" in request.query_params
        return {
            "release": release,
            "released": _number(request.query_params.get("released")),
            "versions": versions if whole else versions[:_SHOWN],
            "hidden": 0 if whole else max(0, len(versions) - _SHOWN),
            "back_to": back_to(release, versions),
            "measured": self._measured(),
        }

    def one(self, _site: Site, request: Request, _visitor: Visitor) -> dict[str, Any]:
        """All about one version. Raises LookupError for an unknown one."""
        parts = self._desk.parts
        versions = self._versions.all()
        version = named(request.path_params["version"], versions)
        release = parts.publisher.release()
        run = next((each for each in self._desk.runs.all() if each.run_id == version.run_id), None)
        with parts.store.cursor() as cursor:
            decided = decided_lately(cursor, parts.clock.now())
        measured = self._measured()
        return {
            "version": version,
            "release": release,
            "back_to": back_to(release, versions),
            "figures": figures_of(version, run),
            "others": others_of(version),
            "run": run,
            "checks": run.result.checks if run is not None and run.result is not None else [],
            "stage": stage_words(version, parts.pipeline.training.release, parts.clock.now()),
            "decided": decided.get(version.name),
            "measured": measured,
            "live": _of(measured, "models", version.name),
            "beside": _of(measured, "shadows", version.name),
            "ancestors": ancestors(version, versions),
            "children": [Line(each.name, each.state) for each in versions if each.parent == version.name],
            "has_card": _has_card(parts.run_folder, version),
        }


def back_to(release: Release | None, versions: list[Version]) -> str | None:
    """The champion that a rollback would return to; None where there is none."""
    if release is None:
        return None
    kept = {each.name for each in versions if each.kept}
    return next((each for each in (release.previous, *release.earlier) if each in kept), None)


def ancestors(version: Version, versions: list[Version]) -> list[Line]:
    """Its parent, that one's parent and so on, the nearest first."""
    known = {each.name: each for each in versions}
    found: list[Line] = []
    parent = version.parent
    while parent is not None and parent not in {each.name for each in found}:
        here = known.get(parent)
        found.append(Line(parent, here.state if here else None))
        parent = here.parent if here else None
    return found


def _of(measured: Found[dict[str, Any]], which: str, version: str) -> dict[str, Any] | None:
    lines = measured.value[which] if measured.value else []
    return next((each for each in lines if each["version"] == version), None)


def _has_card(folder: Callable[[str], Path], version: Version) -> bool:
    return version.run_id is not None and (folder(version.run_id) / CARD).is_file()


def _card(site: Site, request: Request, _visitor: Visitor) -> str:
    return card(site.desk.parts, request.path_params["version"]).html


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
