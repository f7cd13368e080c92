"""Checks one part of a model file against its schema and says in plain words what is wrong."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from troughline.model.places import Path, Report
from troughline.model.wording import did_you_mean, near, shown

Item = TypeVar("Item", bound=BaseModel)

_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_WANTED = (
    (("string_type", "string_sub_type"), "text"),
    (("bool_type", "bool_parsing"), "true or false"),
    (("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    (("float_type", "float_parsing"), "a number"),
    (("finite_number",), "a finite number"),
    (("list_type", "tuple_type"), "a list"),
    (("model_type", "model_attributes_type", "dict_type", "is_instance_of"), "a table of keys"),
)
_PATTERNS = {
    "id": "drug/name in lower-case letters, digits, hyphens and dots",
    "doi": "a DOI like 10.1111/j.1365-2125.2011.03963.x",
}


def validated(schema: type[Item], value: Any, path: Path, report: Report) -> Item | None:
    """`value` as the schema's, or None where it cannot be used; every mistake becomes a finding.

    An unknown key is reported and left out, so that the rest of its table is still checked.
    """
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        errors: list[Any] = error.errors(include_url=False)
    unknown = [e for e in errors if e["type"] == "extra_forbidden"]
    meant = set[Path]()
    for e in unknown:
        *parents, key = e["loc"]
        keys = _keys(schema, parents)
        guess = near(str(key), keys)
        meant |= {(*parents, guess)} if guess else set()
        hint = did_you_mean(str(key), keys, "keys")
        report.error("unknown-key", (*path, *e["loc"]), f"unknown key; {hint}")
    told = set[Path]()
    for e in errors:
        location: Path = tuple(part for part in e["loc"] if not _is_form(part))
        if e["type"] == "extra_forbidden" or location in told:
            continue
        told.add(location)
        if e["type"] == "missing":
            if location not in meant:
                report.error("missing-key", (*path, *location), "is needed and missing")
            continue
        report.error("bad-value", (*path, *location), _message(e, errors))
    if len(unknown) < len(errors) or not unknown:
        return None
    rest = deepcopy(value)
    for e in unknown:
        table = rest
        for part in e["loc"][:-1]:
            table = table[part]
        del table[e["loc"][-1]]
    return schema.model_validate(rest)


def _message(e: Any, errors: list[Any]) -> str:
    kind, given = str(e["type"]), shown(e["input"])
    if any(_is_form(part) for part in e["loc"]):
        return f"must be a number or text, not {given}"
    if kind in _LIMITS:
        key, word = _LIMITS[kind]
        return f"must be {word} {e['ctx'][key]:g}, not {given}"
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", str(e["ctx"]["expected"]))
        return f"is {given}; {did_you_mean(str(e['input']), options, 'choices')}"
    if kind == "string_pattern_mismatch":
        return f"is {given}, and must be {_PATTERNS[str(e['loc'][-1])]}"
    if kind in ("too_short", "too_long"):
        least = e["ctx"].get("min_length", e["ctx"].get("max_length"))
        return f"has {e['ctx']['actual_length']} entries and needs {least}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "string_too_long":
        return f"is longer than {e['ctx']['max_length']} characters"
    wanted = next((what for kinds, what in _WANTED if kind in kinds), None)
    return f"must be {wanted}, not {given}" if wanted else " ".join(str(e["msg"]).split())


def _is_form(part: int | str) -> bool:
    """Whether a part of a location is no key but a type that a value was tried as."""
    return part in ("float", "str", "constrained-str")


def _keys(schema: type[BaseModel], parents: list[Any]) -> list[str]:
    """The keys that a table inside the schema may have."""
    for part in parents:
        if isinstance(part, str) and part in schema.model_fields:
            schema = _model_in(schema.model_fields[part].annotation) or schema
    return [field.alias or name for name, field in schema.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for inner in get_args(annotation) if (m := _model_in(inner)) is not None), None)
