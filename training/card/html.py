"""Small pieces of HTML; every text that goes in is escaped here."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from training.evaluation.measured import Figure

NOTHING = "-"
_LARGE = 100
_SMALL = 0.01
_CODE = re.compile("`([^`]*)`")


def paragraph(text: str) -> str:
    """One paragraph."""
    return f"<p>{_told(text)}</p>"


def items(texts: Iterable[str]) -> str:
    """A list; empty without texts."""
    found = "".join(f"<li>{_told(text)}</li>" for text in texts)
    return f"<ul>{found}</ul>" if found else ""


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", *, figures: bool = False
) -> str:
    """A table whose first column names its rows; ``figures`` are aligned to the right."""
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{_told(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    told = f'<p class="muted">{_told(caption)}</p>' if caption else ""
    kind = ' class="figures-table"' if figures else ""
    inside = f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody>"
    return f'{told}<div class="scroll"><table{kind}>{inside}</table></div>'


def figure(title: str, caption: str, svg: str) -> str:
    """A plot under its title."""
    return f"<figure><figcaption><b>{escape(title)}.</b> {escape(caption)}</figcaption>{svg}</figure>"


def tile(name: str, value: str, note: str) -> str:
    """One large figure."""
    return f"<div><span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(note)}</span></div>"


def hidden(summary: str, body: str) -> str:
    """What is shown on demand."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def number(value: float | None) -> str:
    """A figure for people."""
    if value is None:
        return NOTHING
    if abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value == 0 or abs(value) >= _SMALL else f"{value:.2g}"


def with_interval(found: Figure | None, *, money: bool = False) -> str:
    """A figure and its interval."""
    if found is None or found.value is None:
        return NOTHING
    shown = _money if money else number
    if found.low is None or found.high is None:
        return shown(found.value)
    return f"{shown(found.value)} ({shown(found.low)} to {shown(found.high)})"


def _money(value: float) -> str:
    return f"{value:,.0f}"


def _told(text: str) -> str:
    """Escaped, with what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))
