"""The order of values and rows, and what row ranges mean."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from yt import yson

from tests.cluster.errors import generic

Keys = list[tuple[str, bool]]
_MIN, _MAX = (-1,), (99,)


def value_order(value: Any) -> tuple[Any, ...]:
    """A key that sorts as the cluster does: null < int64 < uint64 < double < boolean < string < any."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (4, value)
    if isinstance(value, yson.YsonUint64) or (isinstance(value, int) and value >= 2**63):
        return (2, int(value))
    if isinstance(value, int):
        return (1, int(value))
    if isinstance(value, float):
        return (3, value != value, value)
    if isinstance(value, str):
        return (5, value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return (5, bytes(value))
    raise generic('Values of type "any" cannot be compared')


def row_key(row: dict[str, Any], keys: Keys) -> tuple[Any, ...]:
    """A key to sort rows by, columns downwards included."""
    return tuple(_Down(value_order(row.get(name))) if down else value_order(row.get(name)) for name, down in keys)


class _Down(tuple[Any, ...]):
    """A key part in reversed order."""

    __slots__ = ()

    def __new__(cls, value: tuple[Any, ...]) -> _Down:
        return super().__new__(cls, value)

    def __lt__(self, other: Any) -> bool:
        return tuple(self) > tuple(other)

    def __gt__(self, other: Any) -> bool:
        return tuple(self) < tuple(other)

    def __le__(self, other: Any) -> bool:
        return tuple(self) >= tuple(other)

    def __ge__(self, other: Any) -> bool:
        return tuple(self) <= tuple(other)


def sort_columns(wanted: Any) -> Keys:
    """From `[name]` or `[{name, sort_order}]`."""
    columns = wanted if isinstance(wanted, list) else [wanted]
    keys = []
    for column in columns:
        if isinstance(column, dict):
            keys.append((str(column["name"]), column.get("sort_order", "ascending") == "descending"))
        else:
            keys.append((str(column), False))
    return keys


def first_unsorted(rows: list[dict[str, Any]], keys: Keys) -> tuple[Any, Any] | None:
    """The first two neighbours in the wrong order, as key values."""
    ordered = [row_key(row, keys) for row in rows]
    for index, (before, after) in enumerate(itertools.pairwise(ordered)):
        if after < before:
            wrong = [[rows[at].get(name) for name, _ in keys] for at in (index, index + 1)]
            return wrong[0], wrong[1]
    return None


def has_duplicates(rows: list[dict[str, Any]], keys: Keys) -> bool:
    """Whether two neighbours have one key."""
    return any(before == after for before, after in itertools.pairwise(row_key(row, keys) for row in rows))


def ranges(attributes: dict[str, Any], rows: list[dict[str, Any]], keys: Keys) -> Iterator[tuple[int, int]]:
    """The index ranges that a rich path asks for; everything without one."""
    wanted = attributes.get("ranges")
    if wanted is None:
        if not any(name in attributes for name in ("lower_limit", "upper_limit", "exact")):
            yield 0, len(rows)
            return
        wanted = [attributes]
    for each in wanted:
        if "exact" in each:
            low, high = _limit(each["exact"], rows, keys, False), _limit(each["exact"], rows, keys, True)
        else:
            low = _limit(each.get("lower_limit") or {}, rows, keys, False)
            high = _limit(each["upper_limit"], rows, keys, False) if each.get("upper_limit") else len(rows)
        yield low, max(low, high)


def _limit(limit: dict[str, Any], rows: list[dict[str, Any]], keys: Keys, after: bool) -> int:
    if "row_index" in limit:
        return min(max(int(limit["row_index"]) + after, 0), len(rows))
    if "key" in limit or "key_bound" in limit:
        return _key_limit(limit, rows, keys, after)
    if limit:
        raise generic(f"Limits by {', '.join(limit)} are not modelled by the stand-in")
    return 0


def _key_limit(limit: dict[str, Any], rows: list[dict[str, Any]], keys: Keys, after: bool) -> int:
    """How many rows lie before a key; a shorter key stands before all that begin with it."""
    if not keys:
        raise generic("Key limits need a sorted table")
    relation, key = limit["key_bound"] if "key_bound" in limit else (">" if after else ">=", limit["key"])
    bound = tuple(
        _Down(value_order(value)) if down else value_order(value) for value, (_, down) in zip(key, keys, strict=False)
    )
    inclusive = relation in (">", "<=")
    count = 0
    for row in rows:
        at = row_key(row, keys)[: len(bound)]
        if at < bound or (inclusive and at == bound):
            count += 1
        else:
            break
    return count
