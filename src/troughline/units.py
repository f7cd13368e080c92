"""Units: what a unit written in a file means, and exact conversion between units.

The canonical unit of a drug concentration is mg/L. A month is 365.25/12 days, a year 365.25 days.
Arbitrary units are kept apart: `U` (units of activity), `IU` (international units) and `AU` never convert
into each other, because what one of them is worth depends on the substance and on the assay.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DRUG_CONCENTRATION_UNIT = "mg/L"
DAYS_PER_MONTH = 365.25 / 12

_PREFIXES = {
    "femto": ("1e-15", "f"),
    "pico": ("1e-12", "p"),
    "nano": ("1e-9", "n"),
    "micro": ("1e-6", "u"),
    "milli": ("1e-3", "m"),
    "centi": ("1e-2", "c"),
    "deci": ("1e-1", "d"),
    "kilo": ("1e3", "k"),
}

_UNITS = (
    "gram = [mass] = g",
    "meter = [length] = m = metre",
    "liter = 1e-3 * meter ** 3 = L = l = litre",
    "mole = [substance] = mol",
    "molar = mole / liter = M",
    "equivalent = [charge_equivalent] = Eq",
    "second = [time] = s = sec",
    "minute = 60 * second = min",
    "hour = 60 * minute = h = hr",
    "day = 24 * hour = d",
    "week = 7 * day = wk",
    "year = 365.25 * day = yr",
    "month = year / 12 = mo",
    "activity_unit = [activity] = U",
    "international_unit = [international_activity] = IU",
    "arbitrary_unit = [arbitrary_activity] = AU",
    "millimeter_of_mercury = [pressure] = mmHg",
    "microgram_ = 1e-6 * gram = mcg",
    "percent = 0.01",
    "cell = 1",
    "count = 1",
    "copy = 1 = _ = copies",
    "score = 1",
)

_COMMON = {
    **{
        f"{p}g": ("[mass]", 1, Fraction(s))
        for p, s in (("", 1), ("k", 1000), ("m", "1e-3"), ("u", "1e-6"), ("n", "1e-9"))
    },
    **{
        f"{p}L": ("[length]", 3, Fraction(s) / 1000)
        for p, s in (("", 1), ("d", "1e-1"), ("m", "1e-3"), ("u", "1e-6"))
    },
    **{
        f"{p}mol": ("[substance]", 1, Fraction(s))
        for p, s in (("", 1), ("m", "1e-3"), ("u", "1e-6"), ("n", "1e-9"))
    },
    **{f"{p}m": ("[length]", 1, Fraction(s)) for p, s in (("", 1), ("c", "1e-2"), ("m", "1e-3"))},
    **{
        n: ("[time]", 1, Fraction(s))
        for n, s in (("s", 1), ("min", 60), ("h", 3600), ("d", 86400), ("day", 86400))
    },
    "U": ("[activity]", 1, Fraction(1)),
}
"""What most tables hold, as the registry would say it (a test compares them): its start takes a while."""

_CANONICAL_SIZES = {"[mass]": Fraction(1, 1000), "[time]": Fraction(3600), "[length]": Fraction(1, 10)}
"""One mg, one h and one dm in the registry's base units (g, s, m)."""

_MAX_UNIT_LENGTH = 40
_MICRO_SIGNS = str.maketrans({"µ": "u", "μ": "u", "·": "*", "⋅": "*", "×": "*", "−": "-"})
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<slash>/)
      | (?P<times>\*(?!\*))
      | (?P<number>\d+(?:\.\d+)?)(?:(?:\^|\*\*)(?P<number_power>-?\d+))?
      | (?P<name>[A-Za-z_%]+)(?:(?:\^|\*\*)?(?P<name_power>-?\d+))?
    )\s*""",
    re.VERBOSE,
)


class _Unit:
    """A unit as read: an exact size in base units, and the powers of its dimensions."""

    __slots__ = ("dimensions", "size")

    def __init__(self, size: Fraction, dimensions: dict[str, Fraction]) -> None:
        self.size = size
        self.dimensions = {name: power for name, power in dimensions.items() if power}


def convert_factor(from_unit: str, to_unit: str, *, molar_mass_g_per_mol: float | None = None) -> Fraction:
    """The exact number of `to_unit` in one `from_unit`.

    `molar_mass_g_per_mol` lets a mass become an amount of substance and the other way round.
    Raises `ValueError`, naming both units, when a unit is unknown or the two measure different things.
    """
    source, target = _parse(from_unit), _parse(to_unit)
    unknown = [repr(u) for u, read in ((from_unit, source), (to_unit, target)) if read is None]
    if source is None or target is None:
        raise ValueError(
            f"cannot convert {from_unit!r} to {to_unit!r}: {' and '.join(unknown)} is no unit known here"
        )
    factor = source.size / target.size
    if source.dimensions == target.dimensions:
        return factor
    needed = _mass_to_substance(source.dimensions, target.dimensions)
    if needed == 0:
        raise ValueError(f"cannot convert {from_unit!r} to {to_unit!r}: they measure different things")
    if molar_mass_g_per_mol is None:
        raise ValueError(
            f"cannot convert {from_unit!r} to {to_unit!r} without the molar mass of the substance"
        )
    if not (np.isfinite(molar_mass_g_per_mol) and molar_mass_g_per_mol > 0):
        raise ValueError(f"the molar mass must be positive and finite, not {molar_mass_g_per_mol!r} g/mol")
    return factor * Fraction(str(molar_mass_g_per_mol)) ** needed


@overload
def convert(
    value: float, from_unit: str, to_unit: str, *, molar_mass_g_per_mol: float | None = None
) -> float: ...
@overload
def convert(
    value: NDArray[Any] | Sequence[float],
    from_unit: str,
    to_unit: str,
    *,
    molar_mass_g_per_mol: float | None = None,
) -> NDArray[np.float64]: ...
def convert(
    value: ArrayLike, from_unit: str, to_unit: str, *, molar_mass_g_per_mol: float | None = None
) -> float | NDArray[np.float64]:
    """`value` (a number or an array of any shape) given in `from_unit`, expressed in `to_unit`.

    value_to = value_from · f, where f is exact (a fraction), so that 3450 ng/mL is 3.45 mg/L to the last
    bit; mass = amount of substance · `molar_mass_g_per_mol`.
    Returns a float for a number and a float array of the same shape for an array.
    Raises `ValueError`, naming both units, when they cannot be converted.
    """
    factor = convert_factor(from_unit, to_unit, molar_mass_g_per_mol=molar_mass_g_per_mol)
    numbers = np.asarray(value, dtype=np.float64)
    result = numbers * float(factor.numerator) / float(factor.denominator)
    return float(result) if result.ndim == 0 else result


def is_unit(text: str) -> bool:
    """Whether `text` is a unit known here."""
    return _parse(text) is not None


def same_unit(a: str, b: str) -> bool:
    """Whether two spellings name the same unit: the same dimensions and the same size (`ug/mL`, `mg/L`)."""
    first, second = _parse(a), _parse(b)
    if first is None or second is None:
        return False
    return first.size == second.size and first.dimensions == second.dimensions


def is_convertible(a: str, b: str, *, molar_mass_g_per_mol: float | None = None) -> bool:
    """Whether a value in `a` can be expressed in `b` (with the molar mass, where given)."""
    try:
        convert_factor(a, b, molar_mass_g_per_mol=molar_mass_g_per_mol)
    except ValueError:
        return False
    return True


def is_dimensionless(text: str) -> bool:
    """Whether a unit is a pure number: `1`, `%`, a score."""
    read = _parse(text)
    return read is not None and not read.dimensions


def dimensions(unit: str) -> Mapping[str, Fraction]:
    """What a unit measures, as powers of `[mass]`, `[length]`, `[time]` and so on; empty for a pure number.

    Raises `ValueError` for an unknown unit.
    """
    return _known(unit).dimensions


def canonical_factor(unit: str) -> Fraction:
    """The exact number of canonical units in one `unit`.

    The canonical units are those that mg, h and L make (1 L is 1 dm³, so an area counts in dm²): a
    clearance in L/h, a concentration in mg/L, a weight in mg. What involves neither mass, time nor length
    counts in the unit named after it (mol, U, mmHg). Raises `ValueError` for an unknown unit.
    """
    read = _known(unit)
    size = read.size
    for dimension, base in _CANONICAL_SIZES.items():
        power = read.dimensions.get(dimension, Fraction(0))
        if power.denominator != 1:
            raise ValueError(f"{unit!r} has a fractional power of a base unit")
        size /= base ** int(power)
    return size


def molar_mass_g_per_mol(substance: str) -> float | None:
    """The molar mass of a substance by name (case does not matter), or None where it is not on file.

    The numbers, with the molecular formulas and atomic weights they follow from, are in
    `evidence/data/substances.toml`.
    """
    return _molar_masses().get(substance.strip().casefold())


def formula_mass(formula: str, atomic_weights: dict[str, float]) -> float:
    """The molar mass in g/mol of a molecular formula such as `C21H16ClF3N4O3`.

    M = Σ n_i · A_i over the elements. Raises `ValueError` for an element without an atomic weight.
    """
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    if not parts or "".join(symbol + count for symbol, count in parts) != formula:
        raise ValueError(f"{formula!r} is no molecular formula")
    missing = [symbol for symbol, _ in parts if symbol not in atomic_weights]
    if missing:
        raise ValueError(f"no atomic weight for {', '.join(missing)} in {formula!r}")
    return sum(atomic_weights[symbol] * int(count or 1) for symbol, count in parts)


@lru_cache(maxsize=1)
def substances() -> dict[str, Any]:
    """The data file of substances and atomic weights, as read."""
    import tomllib
    from importlib.resources import files

    text = files("troughline.evidence").joinpath("data", "substances.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@lru_cache(maxsize=1)
def _molar_masses() -> dict[str, float]:
    masses: dict[str, float] = {}
    for entry in substances()["substance"]:
        for name in (entry["name"], *entry.get("synonyms", ())):
            masses[str(name).casefold()] = float(entry["molar_mass_g_per_mol"])
    return masses


@lru_cache(maxsize=1)
def _registry() -> Any:
    pint: Any = importlib.import_module("pint")  # its annotations do not know of exact fractions

    # A registry of our own, with exact fractions: only units that belong in a clinical table are known, so
    # that a typing slip is an error and not some other quantity, and conversion does not round.
    registry = pint.UnitRegistry(None, non_int_type=Fraction)
    for name, (size, symbol) in _PREFIXES.items():
        registry.define(f"{name}- = {size} = {symbol}-")
    for line in _UNITS:
        registry.define(line)
    return registry


def _known(unit: str) -> _Unit:
    read = _parse(unit)
    if read is None:
        raise ValueError(f"{unit!r} is no unit known here")
    return read


@lru_cache(maxsize=1024)
def _parse(text: str) -> _Unit | None:
    cleaned = text.strip().translate(_MICRO_SIGNS)
    if not cleaned or len(cleaned) > _MAX_UNIT_LENGTH:
        return None
    # 10⁹ is a power of ten, m² a power of a unit: both become the caret form before reading.
    cleaned = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda m: "^" + m[1].translate(_SUPERSCRIPTS), cleaned)
    cleaned = re.sub(r"^x\s*(?=10)", "", cleaned)
    cleaned = re.sub(r"^G(?=/)", "10^9", cleaned)
    if cleaned.startswith("/"):
        cleaned = "1" + cleaned
    size, dimensions, sign, position, operand_due = Fraction(1), dict[str, Fraction](), 1, 0, True
    while position < len(cleaned):
        match = _TOKEN.match(cleaned, position)
        if match is None:
            return None
        position = match.end()
        if match["slash"] or match["times"]:
            if operand_due:
                return None
            sign, operand_due = (-1, True) if match["slash"] else (1, True)
            continue
        power = int(match["number_power"] or match["name_power"] or 1) * sign
        if abs(power) > 12:
            return None
        if match["number"]:
            number = Fraction(match["number"])
            if number == 0:
                return None
            size *= number**power
        else:
            one = _named(match["name"])
            if one is None:
                return None
            size *= one.size**power
            for name, exponent in one.dimensions.items():
                dimensions[name] = dimensions.get(name, Fraction(0)) + exponent * power
        # `mL/min/1.73 m2`: what follows a number without a sign shares its side of the slash.
        sign, operand_due = (sign if match["number"] else 1), False
    return None if operand_due else _Unit(size, dimensions)


@lru_cache(maxsize=256)
def _named(name: str) -> _Unit | None:
    if name in _COMMON:
        dimension, power, size = _COMMON[name]
        return _Unit(size, {dimension: Fraction(power)})
    return _from_registry(name)


def _from_registry(name: str) -> _Unit | None:
    registry = _registry()
    canonical = "percent" if name == "%" else name
    if len(registry.parse_unit_name(canonical)) == 0:
        return None
    base = registry.Quantity(Fraction(1), registry.parse_units(canonical)).to_base_units()
    dimensions = {str(k): Fraction(v) for k, v in base.dimensionality.items()}
    return _Unit(Fraction(base.magnitude), dimensions)


def _mass_to_substance(source: dict[str, Fraction], target: dict[str, Fraction]) -> int:
    """The power of the molar mass (g/mol) that turns one into the other; 0 where none does."""
    for power in (-1, 1):
        shifted = dict(source)
        shifted["[mass]"] = shifted.get("[mass]", Fraction(0)) + power
        shifted["[substance]"] = shifted.get("[substance]", Fraction(0)) - power
        if {k: v for k, v in shifted.items() if v} == target:
            return power
    return 0
