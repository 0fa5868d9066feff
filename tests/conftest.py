"""What every tier of tests shares: the brokers, and names that do not collide."""

from __future__ import annotations

import os
import secrets
import select
import sys
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import structlog
from hypothesis import HealthCheck, settings

from streams.broker import Broker, KafkaUnavailableError, running_broker
from tests.hung import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.register_assert_rewrite("tests.support")  # what it asserts is said in words, too

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

REPOSITORY = Path(__file__).resolve().parents[1]

SLOW = (
    "contract/broker",
    "contract/explainer",
    "contract/features/test_parity_large.py",
    "contract/features/test_parity_offline.py",
    "contract/features/test_parity_staged.py",
    "contract/models/test_followed_live.py",
    "contract/models/test_trusted_live.py",
    "contract/policies/test_watcher.py",
    "unit/backtest/test_past.py",
    "unit/card",
    "unit/compaction",
    "unit/console/test_features_commands.py",
    "unit/console/test_reading.py",
    "unit/console/test_supervisor.py",
    "unit/console/test_what_starts_load.py",
    "unit/dataset/test_labels.py",
    "unit/evaluation/test_selective_labels.py",
    "unit/fitting/test_challenger.py",
    "unit/fitting/test_kinds_of_features.py",
    "unit/fitting/test_on_disk.py",
    "unit/fitting/test_sampling.py",
    "unit/fitting/test_tuning.py",
    "unit/fitting/test_warm_start.py",
    "unit/history",
    "unit/keeper",
    "unit/models/test_hostile_artifacts.py",
    "unit/models/test_trial.py",
    "unit/monitor/test_alerts_topic.py",
    "unit/monitor/test_releases_and_shadows.py",
    "unit/offline/test_twin_oracle.py",
    "unit/scorer/test_staged.py",
    "unit/snapshots/test_claimed.py",
    "unit/snapshots/test_keeping.py",
    "unit/snapshots/test_short_logs.py",
    "unit/snapshots/test_take_over.py",
    "unit/sources/test_partitions.py",
    "unit/sources/test_simulate.py",
    "unit/trainer",
    "unit/web/test_audit_page.py",
    "unit/web/test_commands_noted.py",
    "unit/web/test_dead_letters_page.py",
    "unit/web/test_decisions.py",
    "unit/web/test_features_page.py",
    "unit/web/test_models.py",
    "unit/web/test_overview.py",
    "unit/web/test_policy_page.py",
    "unit/web/test_review.py",
    "unit/web/test_schedule.py",
)
"""Not in the quick tier: they wait for brokers and processes, fit models, compare long streams or read a
keeper's store.
"""


_PARSER_RACES = sys.version_info < (3, 11, 8) or (3, 12) <= sys.version_info < (3, 12, 2)


def pytest_configure(config: pytest.Config) -> None:
    """Watch for tests that hang. Where Python's parser fails at times when two threads use it (gh-106905),
    print no excerpts of source: a failed test would end the whole run.
    """
    if _PARSER_RACES:
        config.option.tbstyle = "native"
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        config.pluginmanager.register(Watch(config))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where slow tests are not asked for, do not even read them."""
    place = collection_path.relative_to(REPOSITORY / "tests").as_posix()
    return True if "not slow" in config.option.markexpr and place.startswith(SLOW) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the quick tier leaves out."""
    for item in items:
        place = item.path.relative_to(REPOSITORY / "tests").as_posix()
        if place.startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def jar_cache() -> Path:
    """Where Apache Kafka's jars are kept between test runs."""
    return Path(os.environ.get("SLUICEGATE_CACHE") or REPOSITORY / ".sluicegate")


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory, jar_cache: Path) -> Iterator[Broker]:
    """One Apache Kafka for the whole run; tests that use it carry the marker `kafka`.

    Skipped on a laptop that cannot run one, a failure in CI.
    """
    state = tmp_path_factory.mktemp("apache-kafka")
    with ExitStack() as stack:
        try:
            running = running_broker("kafka", state_dir=state, cache_dir=jar_cache)
            broker = stack.enter_context(running)
        except KafkaUnavailableError as error:
            if os.environ.get("CI"):
                pytest.fail(f"CI needs Apache Kafka: {error}", pytrace=False)
            pytest.skip(f"no Apache Kafka: {error}")
        yield broker


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One embedded broker for the whole run."""
    with running_broker("embedded", state_dir=tmp_path_factory.mktemp("embedded")) as broker:
        yield broker


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """Take back what a command under test set up: its output is closed when the next test logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def unique() -> str:
    """Return a short name that no other test uses, for topics and groups."""
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
def wait_until_gone() -> Callable[[int], None]:
    """Return a function that returns when a process has ended, whoever started it."""
    return _wait_until_gone


def _wait_until_gone(process: int, timeout: float = 60.0) -> None:
    if not hasattr(os, "pidfd_open"):  # macOS
        with suppress(psutil.NoSuchProcess):
            psutil.Process(process).wait(timeout)
        return
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        if not select.select([handle], [], [], timeout)[0]:
            pytest.fail(f"process {process} still runs after {timeout:g} s")
    finally:
        os.close(handle)
