"""What can only be checked by trying: SQL, the cron line, the broker's addresses, public keys."""

from __future__ import annotations

import difflib
import re
from functools import partial
from typing import TYPE_CHECKING

from feature_store.declaration.clients import plain
from feature_store.errors import ConfigError, PolicyError
from feature_store.expressions import Expression, RowQuery, condition_expressions, row_expressions
from feature_store.log import event_schema, seen_schema
from streams.broker.spec import parse_spec
from streams.kafka import check_settings, unframe_of
from streams.models.signature import TrustedKeys
from streams.policies.conditions import check_condition
from streams.policies.rules import scored_schema
from training.keeper.schedule.cron import check_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline


_NO_COLUMN = re.compile(r'Referenced column "(?P<name>[^"]+)" not found')


def check_soundness(pipeline: Pipeline, config: Path) -> None:
    """Raise ConfigError, one line per finding, where a process would refuse ``config`` at its start."""
    findings = [*_expressions(pipeline)]
    findings += _said_by(lambda: check_schedule(pipeline.training))
    findings += _said_by(lambda: parse_spec(pipeline.broker))
    findings += _said_by(lambda: check_settings(plain(pipeline.kafka)))
    findings += _said_by(lambda: unframe_of(pipeline))
    findings += _said_by(lambda: TrustedKeys(pipeline.serving.trusted_keys))
    if findings:
        raise ConfigError("\n".join(f"{config}: {finding}" for finding in findings))


def _expressions(pipeline: Pipeline) -> Iterator[str]:
    rows = [
        *row_expressions(pipeline.features.rows),
        *condition_expressions(pipeline.features.conditions()),
    ]
    rules, cold_start = (
        [Expression(rule.name, rule.when, f"decision.{section}.{rule.name}.when") for rule in declared]
        for section, declared in (
            ("rules", pipeline.decision.rules),
            ("cold_start", pipeline.decision.cold_start),
        )
    )
    for check, schema, expressions in (
        (RowQuery, event_schema(pipeline.event), rows),
        (_check_rule, scored_schema(pipeline), rules),
        (RowQuery, seen_schema(pipeline), cold_start),
    ):
        if not _said_by(partial(check, schema, expressions)):
            continue
        for expression in expressions:  # so that every unsound one is told
            found = _said_by(partial(check, schema, [expression]))
            yield from (_with_names(finding, expression, schema) for finding in found)


def _check_rule(schema: pa.Schema, expressions: list[Expression]) -> None:
    for expression in expressions:
        check_condition(expression.key, expression.sql)
    RowQuery(schema, expressions)


def _with_names(finding: str, expression: Expression, schema: pa.Schema) -> str:
    """A finding about an unknown name says which names there are."""
    missing = _NO_COLUMN.search(finding)
    if missing is None:
        return finding
    close = difflib.get_close_matches(missing["name"], schema.names, n=1)
    cure = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(schema.names)}"
    return f"{expression.key}: {expression.sql!r}: there is no {missing['name']!r} here; {cure}"


def _said_by(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except (ConfigError, PolicyError) as error:
        return str(error).splitlines()
    return []
