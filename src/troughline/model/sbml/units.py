"""Units of a model as SBML's unit definitions: mg, h and L, what they make, and the units that data have."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement

from troughline.model.dimensions import Dimension, dimension_of
from troughline.units import canonical_factor

_BASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "[mass]": ("mg", "gram", {"scale": "-3", "multiplier": "1"}),
    "[time]": ("h", "second", {"scale": "0", "multiplier": "3600"}),
    "[length]": ("dm", "metre", {"scale": "-1", "multiplier": "1"}),
    "[substance]": ("mol", "mole", {"scale": "0", "multiplier": "1"}),
    "[pressure]": ("mmHg", "pascal", {"scale": "0", "multiplier": "133.322387415"}),
    # Units that are counted and never converted: to SBML each is an item.
    "[activity]": ("U", "item", {"scale": "0", "multiplier": "1"}),
    "[international_activity]": ("IU", "item", {"scale": "0", "multiplier": "1"}),
    "[arbitrary_activity]": ("AU", "item", {"scale": "0", "multiplier": "1"}),
}
_LITRE = ("L", "litre", {"scale": "0", "multiplier": "1"})
_TAKEN = frozenset({"gram", "item", "kilogram", "litre", "metre", "mole", "newton", "pascal", "second"})
"""Units of SBML itself that a unit of data could be spelt like."""


class UnitDefinitions:
    """The units that a document uses, each defined once."""

    def __init__(self) -> None:
        self._definitions = dict[str, Element]()
        self._ids = dict[str, str]()

    def elements(self) -> list[Element]:
        """The definitions, in the order of their first use."""
        return list(self._definitions.values())

    def canonical(self, dimension: Dimension) -> str | None:
        """The id of the canonical unit (h, mg, L) of a dimension; None where SBML cannot express it."""
        if dimension.bends == "always":
            return None
        if dimension.pure:
            return "dimensionless"
        parts = [_part(name, power) for name, power in dimension.powers]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        over = [_power(symbol, power) for symbol, _, _, power in known if power > 0]
        under = [f"per_{_power(symbol, -power)}" for symbol, _, _, power in known if power < 0]
        name = "_".join([*over, *under])
        if name not in self._definitions:
            self._definitions[name] = _definition(name, known)
        return name

    def canonical_of(self, unit: str) -> str | None:
        """The id of the canonical unit that measures what `unit` does."""
        return self.canonical(dimension_of(unit))

    def as_data(self, unit: str) -> str | None:
        """The id of a unit as data have it, such as ng/mL."""
        base, factor = self.canonical_of(unit), canonical_factor(unit)
        if base is None or factor == 1:
            return base
        if unit not in self._ids:
            self._ids[unit] = self._free(_identifier(unit))
            parts = [_part(name, power) for name, power in dimension_of(unit).powers]
            element = _definition(self._ids[unit], [part for part in parts if part is not None])
            element[0].append(_scaled(factor))
            self._definitions[self._ids[unit]] = element
        return self._ids[unit]

    def per(self, unit: str) -> str | None:
        """The id of canonical units per `unit`, that of the number which converts data."""
        factor = canonical_factor(unit)
        if self.as_data(unit) is None:
            return None
        key = f"canonical per {unit}"
        if key not in self._ids:
            self._ids[key] = self._free(_identifier(f"canonical per {unit}"))
            element = _definition(self._ids[key], [])
            element[0].append(_scaled(1 / factor))
            self._definitions[self._ids[key]] = element
        return self._ids[key]

    def _free(self, name: str) -> str:
        while name in self._definitions or name in _TAKEN:
            name += "_"
        return name


_Part = tuple[str, str, dict[str, str], Fraction]


def _part(name: str, power: Fraction) -> _Part | None:
    """Symbol, SBML unit, its scale and the power for one dimension; a cubed length is a volume."""
    if name == "[length]" and (power / 3).denominator == 1:
        return (*_LITRE, power / 3)
    return (*_BASES[name], power) if name in _BASES else None


def _power(symbol: str, power: Fraction) -> str:
    return symbol if power == 1 else symbol + str(power).replace("/", "_")


def _definition(name: str, parts: list[_Part]) -> Element:
    element = Element("unitDefinition", id=name)
    units = SubElement(element, "listOfUnits")
    for _, kind, scale, power in parts:
        SubElement(units, "unit", {"kind": kind, "exponent": f"{float(power):g}", **scale})
    return element


def _scaled(factor: Fraction) -> Element:
    size = repr(float(factor))
    return Element("unit", {"kind": "dimensionless", "exponent": "1", "scale": "0", "multiplier": size})


def _identifier(unit: str) -> str:
    """`ng/mL` as `ng_per_mL`."""
    text = unit.replace("µ", "u").replace("μ", "u").replace("%", "percent").replace("/", " per ")
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return name if name[:1].isalpha() else f"unit_{name}"
