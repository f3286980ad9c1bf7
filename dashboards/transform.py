"""The usual transformations, as Grafana stores them."""

from collections.abc import Mapping, Sequence

from dashboards.model import Transformation


def merge() -> Transformation:
    """Join the answers of several table queries on their common columns."""
    return {"id": "merge", "options": {}}


def organize(
    *,
    rename: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    order: Sequence[str] = (),
) -> Transformation:
    """Rename, drop and order columns; names are those before renaming."""
    return {
        "id": "organize",
        "options": {
            "renameByName": dict(rename or {}),
            "excludeByName": dict.fromkeys(exclude, True),
            "indexByName": {name: index for index, name in enumerate(order)},
        },
    }


def rename(pattern: str, name: str) -> Transformation:
    """Rename the columns whose names match a regular expression."""
    return {"id": "renameByRegex", "options": {"regex": pattern, "renamePattern": name}}


def sort_by(field: str, *, descending: bool = False) -> Transformation:
    """Sort rows by one column."""
    return {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": field, "desc": descending}]}}


def rows_to_fields(*, name: str, value: str) -> Transformation:
    """Turn rows into one row of columns: each is named by the column `name` and holds that of `value`."""
    return {
        "id": "rowsToFields",
        "options": {
            "mappings": [
                {"fieldName": name, "handlerKey": "field.name"},
                {"fieldName": value, "handlerKey": "field.value"},
            ]
        },
    }


def limit(rows: int) -> Transformation:
    """Keep the first `rows` rows."""
    return {"id": "limit", "options": {"limitField": str(rows)}}


def labels_to_fields(*, of: str = "") -> Transformation:
    """Turn each label into a column, in the answer of one query where `of` names its ref."""
    step: Transformation = {"id": "labelsToFields", "options": {"mode": "columns"}}
    return step | {"ref_id": of} if of else step


def with_value(*fields: str) -> Transformation:
    """Keep the rows that have a value in any of these columns."""
    return {
        "id": "filterByValue",
        "options": {
            "type": "include",
            "match": "any",
            "filters": [{"fieldName": field, "config": {"id": "isNotNull", "options": {}}} for field in fields],
        },
    }


def difference(left: str, right: str, *, name: str) -> Transformation:
    """Add a column: one minus another."""
    sides = {
        side: {"matcher": {"id": "byName", "options": field}} for side, field in (("left", left), ("right", right))
    }
    return {
        "id": "calculateField",
        "options": {"mode": "binary", "binary": {"operator": "-", **sides}, "alias": name, "replaceFields": False},
    }
