"""What the SQL of a rule may be made of: fields, features, numbers, texts, and functions that cannot do harm.

DuckDB runs rules in a sandbox without files, network or settings. What it does not bound is work: a rule such
as ``len(repeat('x', 1000000000)) > 0`` would hold a scorer for minutes. So the functions are those whose
result is no longer than what they are given, and whose work grows no faster.
"""

from __future__ import annotations

import re

from feature_store.errors import PolicyError

LONGEST = 4_000
"""Characters of one condition."""

FUNCTIONS = """
abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log2 log10 pow power mod fmod greatest least
isnan isinf isfinite sin cos tan asin acos atan atan2 radians degrees pi
lower upper lcase ucase length len strlen char_length character_length substr substring left right trim
ltrim rtrim starts_with ends_with prefix suffix contains position strpos instr reverse ascii ord unicode
translate split_part concat concat_ws regexp_matches regexp_full_match regexp_extract md5
coalesce ifnull nullif if
extract date_part datepart date_trunc datetrunc date_diff datediff date_sub datesub date_add epoch
epoch_ms epoch_us year month day hour minute second quarter week weekofyear yearweek dayofweek dayofmonth
dayofyear weekday isodow isoyear dayname monthname last_day make_date make_timestamp to_seconds to_minutes
to_hours to_days strftime age
cast try_cast try decimal dec numeric varchar char list_contains list_has array_contains array_has
"""
"""What a rule may call."""

_AFTER = "and or not in is between like ilike when then else case from distinct"
"""Words behind which a parenthesis or a bracket begins a value."""

_CALLABLE = frozenset(FUNCTIONS.split())
_BEFORE_BRACKET = frozenset(_AFTER.split())
_BEFORE_PARENTHESIS = _CALLABLE | _BEFORE_BRACKET | {"glob", "similar", "to", "escape", "interval"}
_TOKEN = re.compile(
    r"""
    (?P<text> '(?:[^']|'')*' )
  | (?P<quoted> "(?:[^"]|"")*" )
  | (?P<word> [^\W\d]\w* )
  | (?P<number> \d[\w.]* | \.\d\w* )
  | (?P<refused> ; | -- | /\* | \$ | [@?{}\\] )
  | (?P<sign> \S )
    """,
    re.VERBOSE,
)
_PREFIXES = frozenset({"e", "b", "x", "u"})
"""With one of these right before it, a text is read by other rules than here."""
_REFUSED_WORDS = frozenset({"for", "lambda", "select", "values", "table", "over", "pivot", "unpivot", "with"})


def check_condition(where: str, sql: str) -> None:
    """Raise PolicyError, naming ``where`` and the reason, for a condition made of anything else."""
    if len(sql) > LONGEST:
        raise PolicyError(f"{where}: its condition has {len(sql)} characters; at most {LONGEST} are taken")
    if not sql.strip():
        raise PolicyError(f"{where}: its condition is empty")
    before: re.Match[str] | None = None
    for token in _TOKEN.finditer(sql):
        why = _objection(token, before)
        if why is not None:
            raise PolicyError(f"{where}: {sql!r}: {why}")
        before = token


def _objection(token: re.Match[str], before: re.Match[str] | None) -> str | None:
    """What is wrong with a token behind another; None where nothing is."""
    kind, text = token.lastgroup, token[0]
    if kind == "refused":
        return f"{text!r} has no place in a condition"
    if kind == "word" and text.lower() in _REFUSED_WORDS:
        return f"uses {text!r}; a condition may use only the event itself"
    if before is None:
        return None
    known = before[0].lower() if before.lastgroup == "word" else None
    if kind == "text" and known in _PREFIXES and before.end() == token.start():
        return f"{before[0]}{text}: write texts in plain quotes"
    if text == "(" and before.lastgroup in {"word", "quoted"} and known not in _BEFORE_PARENTHESIS:
        return f"{before[0]} is not a function that a rule may use (docs/discussions/policy.md lists them)"
    if text == "[" and known not in _BEFORE_BRACKET and (before.lastgroup != "sign" or before[0] in ")]"):
        return "'[' may only begin a list, as in: card_type in ['debit', 'prepaid']"
    return None
