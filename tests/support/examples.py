"""Compare the examples of the OpenAPI document with what the routes answer."""

import re
from collections.abc import Collection
from typing import Any

KINDS = {
    "an id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "a time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    "a day": re.compile(r"\d{4}-\d\d-\d\d"),
    "money": re.compile(r"-?\d+\.\d\d"),
    "a token": re.compile(r"tp_.+"),
}
# Numbers that count what happened before.
COUNTED = {"orderNumber", "id", "eventId", "lastEventId", "conversionId"}


def example_of(document: dict[str, Any], content: dict[str, Any]) -> Any:
    """Return the example of a body in JSON, or None without one."""
    media = content.get("application/json", {"schema": {}})
    if "$ref" not in media["schema"]:
        return None
    schema = document["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]]
    return media.get("example", schema["examples"][0])


def optional_members(document: dict[str, Any]) -> set[str]:
    """Return the names of the members that some answers lack."""
    schemas = document["components"]["schemas"].values()
    return {name for schema in schemas for name in set(schema.get("properties", ())) - set(schema.get("required", ()))}


def kind_of(value: Any) -> str:
    """Return the kind of a value: that of its text, or its type."""
    if isinstance(value, str):
        return next((kind for kind, pattern in KINDS.items() if pattern.fullmatch(value)), "a text")
    return type(value).__name__


def differences(
    shown: Any, answered: Any, place: str = "", *, exactly: bool = False, optional: Collection[str] = ()
) -> list[str]:
    """Return the places in which an example and an answer are not alike.

    Unless they are compared exactly, a null is like anything and a list like any other whose items are alike.
    """
    options: dict[str, Any] = {"exactly": exactly, "optional": optional}
    if not exactly and (shown is None or answered is None):
        return []
    if isinstance(shown, dict) and isinstance(answered, dict):
        odd = sorted((shown.keys() ^ answered.keys()) - {*optional})
        both = [(shown[name], answered[name], f"{place}.{name}") for name in shown if name in answered]
        found = [f"{place}.{name}: in one of them only" for name in odd]
    elif isinstance(shown, list) and isinstance(answered, list):
        if exactly and len(shown) != len(answered):
            return [f"{place}: {len(shown)} items are shown, {len(answered)} were answered"]
        if not exactly:
            tries = [[differences(one, other, f"{place}[]", **options) for one in shown] for other in answered]
            return [difference for of_item in tries if of_item for difference in min(of_item, key=len)]
        both = [(one, other, f"{place}[]") for one, other in zip(shown, answered, strict=True)]
        found = []
    else:
        return _differences_of_values(shown, answered, place, exactly)
    return found + [difference for part in both for difference in differences(*part, **options)]


def _differences_of_values(shown: Any, answered: Any, place: str, exactly: bool) -> list[str]:
    kind = kind_of(shown)
    is_free = kind in ("an id", "a time", "a day", "a token") or place.rpartition(".")[2] in COUNTED
    if kind == kind_of(answered) and (is_free or not exactly or shown == answered):
        return []
    return [f"{place}: {shown!r} is shown, {answered!r} was answered"]
