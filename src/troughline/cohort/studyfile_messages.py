"""The mistakes of a study file in plain words: where each one is, what is wrong, what was perhaps meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from troughline.cohort.reporting import shown
from troughline.issues import Findings, Severity

Location = tuple[int | str, ...]
Schema = TypeVar("Schema", bound=BaseModel)

_NUMBER_TYPES = ("float_type", "float_parsing", "finite_number")
_WHOLE_TYPES = ("int_type", "int_parsing", "int_from_float", "int_parsing_size")
_TABLE_TYPES = ("model_type", "model_attributes_type", "dict_type")
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def by_schema(
    schema: type[Schema], data: Mapping[str, Any], found: Findings, *, file: str, code: str, **more: Any
) -> Schema | None:
    """The contents `data` of a file, and `more` that is not in it; None with a finding for each mistake."""
    try:
        return schema.model_validate({**data, **more})
    except ValidationError as error:
        for place, message in mistakes(error, data, schema):
            found.add(Severity.ERROR, code, message, file=file, column=place)
        return None


def mistakes(
    error: ValidationError, data: Mapping[str, Any], schema: type[BaseModel]
) -> list[tuple[str | None, str]]:
    """Each mistake once, as its place in the file (a question by its id; None: the whole) and what is wrong.

    `data` is the file as read, `schema` the model that refused it. An error that only follows from another
    one is left out: the questions that are "too few" because one of them is wrong, the key that is missing
    because it is misspelt, and each but one of the forms that a value could have had.
    """
    errors: list[Any] = error.errors(include_url=False)
    meant = {
        (*e["loc"][:-1], near)
        for e in errors
        if e["type"] == "extra_forbidden"
        for near in _near(str(e["loc"][-1]), _keys(schema, e["loc"][:-1]))
    }
    told: list[tuple[str | None, str]] = []
    seen: set[Location] = set()
    for e in errors:
        location: Location = e["loc"]
        if e["type"] == "missing" and location in meant:
            continue
        if e["type"] == "too_short" and location == ("question",) and e["input"]:
            continue
        branch = next((i for i, part in enumerate(location) if _is_branch(part)), None)
        if branch is not None:
            location = location[:branch]
            if location in seen:
                continue
            seen.add(location)
            told.append((_place(location, data), _forms_message(location, errors)))
            continue
        told.append(_told(e, location, data, schema))
    return told


def did_you_mean(written: str, known: Iterable[str], noun: str) -> str:
    """`did you mean 'threshold'?`, or where nothing is near, `the kinds are: …` (`noun` is `the kinds`)."""
    options = list(known)
    near = _near(written, options)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"{noun} are: {', '.join(options) or 'none'}"


def _told(
    e: Any, location: Location, data: Mapping[str, Any], schema: type[BaseModel]
) -> tuple[str | None, str]:
    kind: str = e["type"]
    if kind == "extra_forbidden":
        hint = did_you_mean(str(location[-1]), _keys(schema, location[:-1]), "the keys here")
        return _place(location, data), f"unknown key; {hint}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        place = f"{_place(location, data)} kind"
        if kind == "union_tag_not_found":
            return place, "is needed and missing"
        tag = str(e["ctx"]["tag"])
        return (
            place,
            f"unknown kind {shown(tag)}; {did_you_mean(tag, _quoted(e, 'expected_tags'), 'the kinds')}",
        )
    if location[-1:] == ("[key]",):
        table = str(location[-2])
        hint = did_you_mean(table, _quoted(e, "expected"), "the tables")
        return _place(location[:-2], data), f"unknown table {shown(table)}; {hint}"
    if location[-2:] == ("grade", "grade"):
        location = location[:-1]
    item = ""
    if len(location) > 2 and isinstance(location[-1], int):
        item, location = f"item {location[-1] + 1} ", location[:-1]
    return _place(location, data), item + _message(e, location)


def _message(e: Any, location: Location) -> str:
    kind, given = str(e["type"]), _given(e["input"])
    if kind == "missing":
        return "is needed and missing"
    if kind in _LIMITS and e["input"] != e["input"]:
        return "is not a number: nan"
    if kind in _LIMITS:
        key, word = _LIMITS[kind]
        return f"must be {word} {e['ctx'][key]:g}, not {given}"
    if kind == "literal_error":
        options = _quoted(e, "expected") or re.findall(r"\d+", str(e["ctx"]["expected"]))
        near = _near(str(e["input"]), options)
        return f"is {given}, and must be one of: {', '.join(options)}" + (
            f"; did you mean {near[0]!r}?" if near else ""
        )
    if kind == "model_type" and e["ctx"]["class_name"] == "GradeRule":
        return f"{given} is no grade rule: write '>=3', '>2', '<=1' or '=2'"
    if kind == "tuple_type" and location == ("question",):
        return "is a single table: write [[question]], in two brackets"
    for kinds, what in (
        (("string_type",), "text"),
        (("bool_type", "bool_parsing"), "true or false"),
        (_WHOLE_TYPES, "a whole number"),
        (_NUMBER_TYPES, "a number"),
        (("tuple_type",), "a list"),
        (_TABLE_TYPES, "a table of keys"),
    ):
        if kind in kinds:
            return f"must be {what}, not {given}"
    if kind == "too_short" and location == ("question",):
        return "is empty: a study asks at least one [[question]]"
    if kind in ("too_short", "too_long"):
        word, limit = ("least", "min_length") if kind == "too_short" else ("most", "max_length")
        return f"must have at {word} {_items(e['ctx'][limit])}, not {e['ctx']['actual_length'] or 'none'}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "string_too_long":
        return f"is longer than {e['ctx']['max_length']} characters"
    if kind == "string_pattern_mismatch" and "A-Z" in str(e["ctx"]["pattern"]):
        return (
            f"{given} must consist of letters, digits, spaces and _ . + -, and begin with a letter or digit"
        )
    if kind == "string_pattern_mismatch":
        return f"{given} must consist of lower-case letters, digits and hyphens, and not start with a hyphen"
    return " ".join(str(e["msg"]).removeprefix("Value error, ").split())


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _forms_message(location: Location, errors: list[Any]) -> str:
    """The message for a value that could have had several forms (a list of numbers, or one of some words)."""
    here = [e for e in errors if e["loc"][: len(location)] == location]
    words = next((e for e in here if e["type"] == "literal_error"), here[0])
    options, given = _quoted(words, "expected"), words["input"]
    near = _near(given, options) if isinstance(given, str) else []
    return f"must be a list of numbers or one of {', '.join(options)}, not {_given(given)}" + (
        f"; did you mean {near[0]!r}?" if near else ""
    )


def _place(location: Location, data: Mapping[str, Any]) -> str | None:
    """`question toxicity predictor.unit`, `covariates.age.unit`, or None for the file as a whole."""
    if location[:1] == ("question",) and len(location) > 1 and isinstance(location[1], int):
        # What follows the number of a question is its kind, which only chose the schema.
        rest = ".".join(_counted(location[3:]))
        return f"question {_question_name(data, location[1])}" + (f" {rest}" if rest else "")
    return ".".join(_counted(_written(location, data))) or None


def _written(location: Location, data: Mapping[str, Any]) -> Location:
    """A location without the parts that only chose a form of a value and stand nowhere in the file."""
    kept: list[int | str] = []
    here: Any = data
    for k, part in enumerate(location):
        if isinstance(here, dict) and part not in here and k < len(location) - 1:
            continue
        kept.append(part)
        try:
            here = here[part]  # pyright: ignore[reportUnknownVariableType]
        except (KeyError, IndexError, TypeError):
            here = None
    return tuple(kept)


def _counted(location: Location) -> list[str]:
    return [str(part + 1) if isinstance(part, int) else part for part in location]


def _question_name(data: Mapping[str, Any], position: int) -> str:
    question: Any = data["question"][position]
    name: Any = cast("dict[str, Any]", question).get("id") if isinstance(question, dict) else None
    if isinstance(name, str) and re.fullmatch(r"[\w.-]{1,60}", name):
        return name
    return str(position + 1)


def _is_branch(part: int | str) -> bool:
    """Whether a part of a location is no key but the form that a value was tried as (`tuple[float, ...]`)."""
    return isinstance(part, str) and re.fullmatch(r"[a-z]+\[.+\]", part) is not None


def _near(written: str, options: Iterable[str]) -> list[str]:
    return get_close_matches(written.casefold(), list(options), n=1)


def _quoted(e: Any, key: str) -> list[str]:
    return re.findall(r"'([^']*)'", str(e.get("ctx", {}).get(key, "")))


def _given(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:g}"
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else f"the list {shown(value)[1:-1]}"  # pyright: ignore[reportUnknownArgumentType]
    return shown(value)


def _keys(schema: type[BaseModel], location: Location) -> list[str]:
    """The keys that the table at `location` may have."""
    models = [schema]
    for part in location:
        if isinstance(part, int):
            continue
        chosen = [m for m in models if part in get_args(_annotation(m, "kind"))]
        if not chosen and any(part in m.model_fields for m in models):
            chosen = [inner for m in models for inner in _models_in(_annotation(m, part))]
        # A name under [covariates] is the file's own: its table is the one that every covariate has.
        models = chosen or models
    # Where the study file lies is not written in it.
    return [name for m in models for name in m.model_fields if (m is not schema or name != "path")]


def _annotation(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].annotation if name in model.model_fields else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) is None and isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
