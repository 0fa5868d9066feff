"""What a scorer warns people of while it works on: each once, until it has passed or another release acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.errors import SchemaUnavailableError
    from streams.alerts import Details
    from streams.models.watcher import Acting
    from streams.scorer.records import StepResult


class Warnings:
    """Alerts that the steps give rise to."""

    def __init__(self, alert: Callable[[str, str, Details], None]) -> None:
        self._alert = alert
        self._short: set[int] = set()
        self._not_finite: set[int] = set()
        self._failing: set[tuple[int, str]] = set()
        self._schemas_away = False

    def stepped(self, result: StepResult, acting: Acting, shortened: dict[int, int]) -> None:
        """A step is committed; ``shortened`` is how many ids each partition forgot before their time."""
        self._schemas_away = False
        self._of_short_memory(shortened)
        self._of_missing_scores(result.unscored, acting)
        for version, why in result.failures.items():
            self._of_a_failing_model(version, why, acting)

    def schemas_away(self, error: SchemaUnavailableError) -> None:
        """A step could not be done since nobody tells what its events are."""
        if not self._schemas_away:
            self._schemas_away = True
            self._alert(
                "schema_registry_away", f"{error}; events wait until it does, none is refused for it", {}
            )

    def _of_short_memory(self, shortened: dict[int, int]) -> None:
        for partition, forgotten in shortened.items():
            if forgotten and partition not in self._short:
                self._short.add(partition)
                self._alert(
                    "duplicates_memory_full",
                    f"partition {partition} holds decision.duplicates.max_ids ids; older ones are forgotten "
                    "before the declared window ends, so a late duplicate would be decided again",
                    {"partition": partition},
                )

    def _of_missing_scores(self, unscored: int, acting: Acting) -> None:
        if unscored and acting.champion is not None and acting.epoch not in self._not_finite:
            self._not_finite.add(acting.epoch)
            self._alert(
                "score_not_finite",
                f"model {acting.champion.version} gives no finite score for some events; "
                "decision.fallback decides those",
                {"epoch": acting.epoch, "model": acting.champion.version, "events": unscored},
            )

    def _of_a_failing_model(self, version: str, why: str, acting: Acting) -> None:
        if (acting.epoch, version) in self._failing:
            return
        self._failing.add((acting.epoch, version))
        what = "it is a shadow, decisions go on without its score"
        if acting.champion is not None and acting.champion.version == version:
            what = "decision.fallback decides"
        elif acting.canary is not None and acting.canary.version == version:
            what = "it is the canary, the champion decides in its place"
        self._alert(
            "model_failed", f"model {version}: {why}; {what}", {"epoch": acting.epoch, "model": version}
        )
