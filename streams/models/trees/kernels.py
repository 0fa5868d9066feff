"""The compiled walk: a block of rows becomes codes, then eight rows (or eight trees) walk side by side.

Steps of different walks do not wait for each other's memory, and none of them branches; a walk at its leaf
stays there until the others are at theirs. Sums are taken tree after tree in the order of the model, so they
are the library's own to the bit. One file: Numba notices a change of a function's own file alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.engine.compiled import compiled, inlined

if TYPE_CHECKING:
    from streams.models.trees.forest import Forest

Array = Any
"""What numba, not Python, makes of it; so are the words below."""
Word = Any

# As in `forest`, said again: what is imported is compiled in, and a change of it would not be noticed.
FEATURE, FIRST_COLUMN, END_COLUMN, FIRST_EDGE, TOP_STEP = range(5)
CATEGORIES, FIRST_CODE = 3, 4

BLOCK = 64
"""Rows whose codes are held at a time; a multiple of eight. They stay in the nearest cache."""
_LOOK_AGAIN = 3  # steps until it is asked again whether all walks are at leaves
_ZERO = float(np.float32(1e-35))  # what is nearer to zero is zero for LightGBM
_NONE, _ONE = np.uint64(0), np.uint64(1)
_U16, _U32 = np.uint64(16), np.uint64(32)
_LOW = np.uint64(0xFFFF)
_INT32 = 2.0**31


@inlined
def _code_numbers(
    forest: Forest, matrix: Array, first: Word, rows: Word, codes: Array, xs: Array, places: Array
) -> None:
    """Where each number lies among its feature's thresholds: one binary search for all rows at once."""
    width = len(forest.columns)
    for n in range(len(forest.numbers)):
        feature = forest.numbers[n, FEATURE]
        start, step = np.uint64(forest.numbers[n, FIRST_EDGE]), np.uint64(forest.numbers[n, TOP_STEP])
        for row in range(rows):
            x = matrix[first + row, feature]
            if forest.single:
                x = np.float64(np.float32(x))
            elif abs(x) <= _ZERO:
                x = 0.0
            xs[row] = x
            places[row] = start
        while step > _NONE:
            for row in range(rows):
                places[row] += step * np.uint64(forest.edges[places[row] + step - _ONE] < xs[row])
            step >>= _ONE
        for column in range(forest.numbers[n, FIRST_COLUMN], forest.numbers[n, END_COLUMN]):
            missing, zero = np.uint64(forest.columns[column, 1]), forest.columns[column, 2] != 0
            for row in range(rows):
                x = xs[row]
                absent = x != x or (zero and x == 0.0)  # noqa: PLR0124
                codes[row * width + column] = missing if absent else places[row] - start


@inlined
def _code_categories(forest: Forest, matrix: Array, first: Word, rows: Word, codes: Array) -> None:
    width = len(forest.columns)
    for c in range(len(forest.categories)):
        feature, known = forest.categories[c, FEATURE], forest.categories[c, CATEGORIES]
        column, end = forest.categories[c, FIRST_COLUMN], forest.categories[c, END_COLUMN]
        for row in range(rows):
            x = matrix[first + row, feature]
            category = known
            if x != x:  # noqa: PLR0124
                category = known + 1
            elif forest.single:
                x = np.float64(np.float32(x))
                if 0.0 <= x < known:
                    category = int(x)
            elif -1.0 < x < known:
                category = int(x)
            code = forest.categories[c, FIRST_CODE] + category * (end - column)
            for split in range(end - column):
                codes[row * width + column + split] = forest.category_codes[code + split]


@inlined
def _next(nodes: Array, codes: Array, row: Word, node: Word) -> Word:
    """The child of ``node`` for the codes that start at ``row``."""
    word = nodes[node]
    code = np.uint64(codes[row + ((word >> _U16) & _LOW)])
    return (word >> _U32) + np.uint64(code > (word & _LOW))


@inlined
def _at_leaves(words: Word) -> Word:
    """Of the words of all walks at once: whether each of them is a leaf's."""
    return words & _LOW == _LOW


@inlined
def _add_trees(forest: Forest, codes: Array, row: Word, out: Array, at: Word) -> None:
    """One row, eight trees side by side."""
    nodes, roots = forest.nodes, forest.roots
    total = out[at]
    tree, trees = 0, len(roots)
    while tree + 8 <= trees:
        a, b = np.uint64(roots[tree, 0]), np.uint64(roots[tree + 1, 0])
        c, d = np.uint64(roots[tree + 2, 0]), np.uint64(roots[tree + 3, 0])
        e, f = np.uint64(roots[tree + 4, 0]), np.uint64(roots[tree + 5, 0])
        g, h = np.uint64(roots[tree + 6, 0]), np.uint64(roots[tree + 7, 0])
        left, steps = roots[tree, 1], roots[tree, 2]
        for other in range(1, 8):
            left, steps = max(left, roots[tree + other, 1]), max(steps, roots[tree + other, 2])
        while left > 0:
            for _ in range(min(left, steps)):
                a, b = _next(nodes, codes, row, a), _next(nodes, codes, row, b)
                c, d = _next(nodes, codes, row, c), _next(nodes, codes, row, d)
                e, f = _next(nodes, codes, row, e), _next(nodes, codes, row, f)
                g, h = _next(nodes, codes, row, g), _next(nodes, codes, row, h)
            if _at_leaves(
                nodes[a] & nodes[b] & nodes[c] & nodes[d] & nodes[e] & nodes[f] & nodes[g] & nodes[h]
            ):
                break
            left -= steps
            steps = _LOOK_AGAIN
        total += forest.leaves[a]
        total += forest.leaves[b]
        total += forest.leaves[c]
        total += forest.leaves[d]
        total += forest.leaves[e]
        total += forest.leaves[f]
        total += forest.leaves[g]
        total += forest.leaves[h]
        tree += 8
    while tree < trees:
        a = np.uint64(roots[tree, 0])
        for _ in range(roots[tree, 1]):
            a = _next(nodes, codes, row, a)
        total += forest.leaves[a]
        tree += 1
    out[at] = total


@inlined
def _add_rows(forest: Forest, codes: Array, row: Word, width: Word, out: Array, at: Word) -> None:
    """Eight rows side by side, tree after tree."""
    nodes, roots, leaves = forest.nodes, forest.roots, forest.leaves
    ra, rb, rc, rd = row, row + width, row + np.uint64(2) * width, row + np.uint64(3) * width
    re, rf = row + np.uint64(4) * width, row + np.uint64(5) * width
    rg, rh = row + np.uint64(6) * width, row + np.uint64(7) * width
    sa, sb, sc, sd = out[at], out[at + 1], out[at + 2], out[at + 3]
    se, sf, sg, sh = out[at + 4], out[at + 5], out[at + 6], out[at + 7]
    for tree in range(len(roots)):
        a = b = c = d = e = f = g = h = np.uint64(roots[tree, 0])
        left, steps = roots[tree, 1], roots[tree, 2]
        while left > 0:
            for _ in range(min(left, steps)):
                a, b = _next(nodes, codes, ra, a), _next(nodes, codes, rb, b)
                c, d = _next(nodes, codes, rc, c), _next(nodes, codes, rd, d)
                e, f = _next(nodes, codes, re, e), _next(nodes, codes, rf, f)
                g, h = _next(nodes, codes, rg, g), _next(nodes, codes, rh, h)
            if _at_leaves(
                nodes[a] & nodes[b] & nodes[c] & nodes[d] & nodes[e] & nodes[f] & nodes[g] & nodes[h]
            ):
                break
            left -= steps
            steps = _LOOK_AGAIN
        sa += leaves[a]
        sb += leaves[b]
        sc += leaves[c]
        sd += leaves[d]
        se += leaves[e]
        sf += leaves[f]
        sg += leaves[g]
        sh += leaves[h]
    out[at], out[at + 1], out[at + 2], out[at + 3] = sa, sb, sc, sd
    out[at + 4], out[at + 5], out[at + 6], out[at + 7] = se, sf, sg, sh


@compiled
def add_margins(forest: Forest, matrix: Array, codes: Array, xs: Array, places: Array, out: Array) -> None:
    """Add every tree to ``out``, by row. ``codes`` is room for ``BLOCK`` rows of a code per column."""
    width = np.uint64(len(forest.columns))
    for first in range(0, len(matrix), BLOCK):
        rows = min(BLOCK, len(matrix) - first)
        _code_numbers(forest, matrix, first, rows, codes, xs, places)
        _code_categories(forest, matrix, first, rows, codes)
        row = 0
        while row + 8 <= rows:
            _add_rows(forest, codes, np.uint64(row) * width, width, out, first + row)
            row += 8
        while row < rows:
            _add_trees(forest, codes, np.uint64(row) * width, out, first + row)
            row += 1


@compiled
def add_paths(
    forest: Forest, means: Array, matrix: Array, codes: Array, xs: Array, places: Array, out: Array
) -> None:
    """Credit every step of a path to the feature that it asked: by how far the mean below it moved."""
    width = np.uint64(len(forest.columns))
    for first in range(0, len(matrix), BLOCK):
        rows = min(BLOCK, len(matrix) - first)
        _code_numbers(forest, matrix, first, rows, codes, xs, places)
        _code_categories(forest, matrix, first, rows, codes)
        for row in range(rows):
            for tree in range(len(forest.roots)):
                node = np.uint64(forest.roots[tree, 0])
                child = _next(forest.nodes, codes, np.uint64(row) * width, node)
                while child != node:
                    feature = forest.columns[(forest.nodes[node] >> _U16) & _LOW, 0]
                    out[first + row, feature] += means[child] - means[node]
                    node = child
                    child = _next(forest.nodes, codes, np.uint64(row) * width, node)
