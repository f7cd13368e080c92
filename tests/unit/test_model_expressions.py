"""Expressions of a model file: what is read, what is refused, and what their SymPy form computes."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from fractions import Fraction

import pytest
import sympy

from troughline.model.dimensions import ANYTHING, EFFECT, PURE, dimension_of, infer
from troughline.model.expressions import ExpressionError, parse, to_sympy
from troughline.model.grammar import written

VALUES = {"a": 1.7, "b": -0.4, "c": 3.2, "x": 0.3, "eta": 0.25, "shape": 0.6, "sex": 1, "weight": 8e7}
SYMBOLS = {name: sympy.Symbol(name, real=True) for name in VALUES}
LEVELS = {"sex": ("male", "female")}
A, B, C, X, ETA = (VALUES[n] for n in ("a", "b", "c", "x", "eta"))


def value(text: str) -> float:
    form = to_sympy(parse(text), SYMBOLS, LEVELS)
    return float(form.subs({SYMBOLS[n]: v for n, v in VALUES.items()}).evalf(17))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b*c^2^-1", A + B * C**0.5),
        ("-a^2", -(A**2)),
        ("2**-a", 2**-A),
        ("a - b - c", A - B - C),
        ("a/b*c", A / B * C),
        ("(a - b)*-c", (A - B) * -C),
        ("1e-3 + .5 + 2.", 2.501),
        ("exp(a) + log(c) + log10(c)", math.exp(A) + math.log(C) + math.log10(C)),
        ("sqrt(a) + abs(b) + tanh(b)", A**0.5 - B + math.tanh(B)),
        ("sin(a)*cos(a)", math.sin(A) * math.cos(A)),
        ("min(a, b, c) + 10*max(a, b, c)", B + 10 * C),
        ("min(c, a) - max(b, a)", 0.0),
        ("logit(x) + expit(a)", math.log(X / (1 - X)) + 1 / (1 + math.exp(-A))),
        ("phi(b)", 0.5 * math.erfc(-B / math.sqrt(2))),
        ("boxcox(eta, shape)", (math.exp(0.6 * ETA) - 1) / 0.6),
        ("boxcox(eta, 0)", ETA),
        ("where(a < c, a, c)", A),
        ("a if a > c else b if b > 0 else c", C),
        ("a if 1 < a <= 1.7 and not b > 0 else c", A),
        ("a if b > 0 or c != 3.2 else x", X),
        ('0.83 if sex == "female" else 1', 0.83),
        ("1 + 0.2*(sex != 'male')", 1.2),
        ("weight/80[kg]", 1.0),
        ("0.5[d] + 30 [min]", 12.5),
        ("2[1/d]*24", 2.0),
        ("450[ng/mL]", 0.45),
        ("1.73[m^2]", 173.0),
        ("100[mL/min]", 6.0),
    ],
)
def test_an_expression_has_the_value_of_the_formula(text: str, expected: float) -> None:
    """Python's `math` is the reference; relative tolerance 1e-14."""
    assert value(text) == pytest.approx(expected, rel=1e-14, abs=1e-15)


def test_numbers_are_exact() -> None:
    """0.1 is one tenth and 0.001 mg/L in canonical units is a thousandth: no binary rounding."""
    form = to_sympy(parse("0.1*a + 0.001[ug/mL]"), SYMBOLS, LEVELS)
    assert form == sympy.Rational(1, 10) * SYMBOLS["a"] + sympy.Rational(1, 1000)


@pytest.mark.parametrize("shape", [-0.5, -1.1e-3, -1e-3, -1e-9, 0.0, 1e-9, 9e-4, 1.1e-3, 0.5])
def test_boxcox_and_its_derivatives_have_no_gap_at_zero(shape: float) -> None:
    """Against 40-digit arithmetic of the definition (its limit at 0): relative error below 1e-9 (η 0.7).

    At |λ| just above 1e-3 the closed form loses about six of sixteen digits in its derivative by λ.
    """
    form = to_sympy(parse("boxcox(eta, shape)"), SYMBOLS, LEVELS)
    eta, power = sympy.Symbol("e"), sympy.Symbol("p")
    exact = (sympy.exp(power * eta) - 1) / power
    point = {eta: sympy.Rational("0.7"), power: sympy.Rational(repr(shape))}
    for wanted, exact_form in (
        (form, exact),
        (form.diff(SYMBOLS["eta"]), exact.diff(eta)),
        (form.diff(SYMBOLS["shape"]), exact.diff(power)),
    ):
        function = sympy.lambdify([SYMBOLS["eta"], SYMBOLS["shape"]], wanted, "math")
        limit = exact_form.subs(eta, point[eta])
        reference = limit.limit(power, 0) if shape == 0 else limit.subs(power, point[power])
        assert function(0.7, shape) == pytest.approx(float(reference.evalf(40)), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is empty"),
        ("a +", "ends where a value should follow"),
        ("a b", "has 'b' where an operator should stand"),
        ("(a", "ends where ')' should stand"),
        ("a)", "has ')' where an operator"),
        ("f(a)", "calls f(), which is no function; the functions are: exp"),
        ("ln(a)", "did you mean 'log'?"),
        ("a = b", "write '==' to compare"),
        ("a & b", "write 'and'"),
        ("80[]", "has no unit in the brackets"),
        ("a[kg]", "a unit right after a number"),
        ("2x", "has '2x' at character 1, which is no number"),
        ("1.2.3", "no number"),
        ("1e999", "too large"),
        ("exp()", "with 0 arguments; it takes 1"),
        ("min(a)", "with 1 argument; it takes at least 2"),
        ("where(a, b, c)", "needs a comparison for the condition"),
        ("a if b else c", "needs a comparison for the condition"),
        ("a if b > 0", "ends where 'else' should stand"),
        ("not a", "needs a comparison for 'not'"),
        ("a and b > 0", "needs a comparison for 'and'"),
        ("'male'", "quoted level outside a comparison"),
        ("sex == 'a", "a quote at character 8 that is not closed"),
        ("sex < 'male'", "compares a quoted level"),
        ("sex == 'male' == a", "compares a quoted level"),
        ("a.b", "no number"),
        ("lambda: a", "has ':'"),
        ("__import__('os')", "calls __import__(), which is no function"),
        ("(" * 200 + "a" + ")" * 200, "nested too deeply"),
        ("^".join("a" * 300), "nested too deeply"),
        ("+".join("a" * 300), "too long a chain"),
        ("a" * 5000, "longer than 4000"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(text: str, part: str) -> None:
    """The message says what is wrong and where; nothing outside the language is run."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["9^9^9^9", "1/0", "(0-8)^0.5", "0^-1", "1[kgg]", "unheard", "sex == 'x'"])
def test_what_has_no_value_is_refused_when_lowered(text: str) -> None:
    """A number without end is not computed, and a division by zero is no infinity."""
    with pytest.raises(ExpressionError):
        to_sympy(parse(text), SYMBOLS, LEVELS)


@pytest.mark.parametrize(
    "text",
    ["a - (b - c)", "(a^b)^c", "a^b^c", "-(a + b)*-c", "(-a)^2", "a/(b*c)",
     "a if b > 0 and (c < 1 or not a == b) else 2",
     "exp(-0.5[1/h]*a) + min(a, b)", "1 + (a < b)", "(a if b < c else b)*2"],
)  # fmt: skip
def test_an_expression_written_out_reads_the_same(text: str) -> None:
    """`written` puts brackets where they are needed."""
    tree = parse(text).tree
    assert parse(written(tree)).tree == tree


def test_an_expression_knows_its_names_and_can_be_pickled() -> None:
    """Names are those of the model, not of functions or levels."""
    expression = parse('CL_pop * exp(eta_CL)\n * (2 if sex == "female" else 1)')
    assert expression.names == {"CL_pop", "eta_CL", "sex"}
    copy = pickle.loads(pickle.dumps(expression))
    assert (copy, copy.names, copy.tree) == (expression, expression.names, expression.tree)
    assert "\n" not in expression.text


NAMES = {
    "CL": dimension_of("L/h"), "V": dimension_of("L"), "amount": dimension_of("mg"), "eta": EFFECT,
    "kappa": EFFECT, "shape": PURE, "bmi": dimension_of("kg/m^2"), "lost": ANYTHING,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("CL/V", "1/h"),
        ("amount/V", "mg/L"),
        ("amount/V + 3[ng/mL]", "ng/mL"),
        ("CL*exp(eta + kappa)*shape^shape", "L/h"),
        ("CL + eta", "L/h"),
        ("2*eta + CL", "L/h"),
        ("(eta + kappa) + V", "L"),
        ("max(0, CL)", "L/h"),
        ("CL if V > 0 else 0", "L/h"),
        ("sqrt(V*V)", "L"),
        ("V^(2/3)", "m^2"),
        ("V^0.5*V^0.5", "L"),
        ("exp(-0.363*(bmi - 24.5[kg/m^2])/24.5[kg/m^2])", "1"),
        ("1 + eta", "1"),
        ("CL*(lost + 3)", "L/h"),
        ("1 + (CL > 3[L/h])", "1"),
    ],
)
def test_dimensions_follow_from_names_and_units(text: str, unit: str) -> None:
    """An effect fits what it is added to, 0 fits everything, a constant power multiplies the exponents."""
    found, faults = infer(parse(text).tree, NAMES)
    assert faults == ()
    assert found.fits(dimension_of(unit))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("CL + V", "CL + V adds L/h and L"),
        ("CL + 3", "adds L/h and a pure number"),
        ("CL > V", "compares L/h and L"),
        ("CL if shape > 0 else V", "chooses between L/h and L"),
        ("exp(CL)", "exp(CL) needs a pure number, not L/h"),
        ("boxcox(eta, V)", "needs a pure number, not L"),
        ("2^CL", "the exponent CL needs a pure number, not L/h"),
        ("V^shape", "divide by a reference value first"),
        ("3[kgg]*CL", "'kgg' is no unit known here"),
        ("CL/0", "divides by zero"),
        ("min(CL, amount)", "compares L/h and mg"),
        ("bmi + 1", "adds mg/m^2 and a pure number"),
    ],
)
def test_what_does_not_fit_is_said(text: str, part: str) -> None:
    """Each misfit names the operation and both dimensions."""
    found, faults = infer(parse(text).tree, NAMES)
    assert len(faults) == 1
    assert part in faults[0]
    assert found in (ANYTHING, PURE, dimension_of("L/h"))


def test_every_misfit_of_an_expression_is_found() -> None:
    """One misfit does not hide another, and does not make new ones."""
    _, faults = infer(parse("(CL + V)*3 + exp(amount)").tree, NAMES)
    assert len(faults) == 2


def test_units_have_exact_canonical_sizes() -> None:
    """In h, mg and L (so an area counts in dm²); from the definitions of the units."""
    from troughline.units import canonical_factor, dimensions

    sizes = {"h": 1, "mg": 1, "L": 1, "kg": 10**6, "m^2": 100, "mL/min": Fraction(6, 100),
             "ng/mL": Fraction(1, 1000), "%": Fraction(1, 100),
             "1/d": Fraction(1, 24), "g/mol": 1000}  # fmt: skip
    assert {unit: canonical_factor(unit) for unit in sizes} == sizes
    assert dimensions("mg/L") == {"[mass]": 1, "[length]": -3}
    with pytest.raises(ValueError, match="'kgg' is no unit known here"):
        dimensions("kgg")


def test_reading_a_model_needs_no_heavy_library() -> None:
    """SymPy, Numba, pandas and pint are not loaded by importing the reader."""
    code = (
        "import sys, troughline.model.read;"
        "print([m for m in ('sympy', 'numba', 'pandas', 'pint', 'matplotlib') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
