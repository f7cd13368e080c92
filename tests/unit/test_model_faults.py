"""Every kind of fault in a model file is found, at its line and place, in words that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from troughline.issues import Finding, Findings, Severity
from troughline.model.read import read_model

EXAMPLE = (Path(__file__).parent / "fixtures" / "made-up-model.toml").read_text(encoding="utf-8")
CL = "CL = \"CL_pop * exp(boxcox(eta_CL, shape) + kappa_CL) * (0.8 if sex == 'female' else 1)\""
COVARIANCE = "covariance = [[0.0319, 0.0864], [0.0864, 0.3866]]"
ERROR = 'error = { kind = "combined", additive = "0.001[mg/L]", proportional = 0.514 }'
WEIGHT = 'unit = "kg"\ndefault = 80\nhard = [20, 250]\nsoft = [40, 150]'
MEAL = 'kind = "clock"\nat = [8, 12, 18]\nlength = "0.5[h]"'
DOSES = EXAMPLE[EXAMPLE.index("[[doses]]") : EXAMPLE.index("[outputs.")]


def findings(text: str) -> Findings:
    return read_model(text, file="model.toml")[1]


# Each fault: what is replaced by what, the code, the start of the line it must be found at (with #2: of the
# second such line; empty: no line), the place, and a part of the message.
FAULTS = {
    "not TOML": ('drug = "sorafenib"', "drug = sorafenib", "not-toml", "drug", None, "is not valid TOML"),
    "no end": ("{ weight = 70,", "{ weight = [70,", "not-toml", "covariates = {", None,
        "is not valid TOML"),
    "key twice": ("revision = 1", "revision = 1\nrevision = 2", "not-toml", "revision = 2", None,
        "overwrite"),
    "unknown section": ("[units]", "[unit]", "unknown-section", "[unit]", "unit", "did you mean 'units'?"),
    "unknown key": ("level = 0.95", "levle = 0.95", "unknown-key", "CL_pop = {", "parameters.CL_pop.levle",
        "unknown key; did you mean 'level'?"),
    "unknown inner key": ("start = 0, end", "start = 0, ends = 1, end", "unknown-key", '{ quantity = "auc"',
        "tests.1.expect.1.ends", "did you mean 'end'?"),
    "missing section": ("[compartments]\ndepot", "[flowers]\ndepot", "missing-section", "", "compartments",
        "[compartments] is needed and missing"),
    "no compartment": ("[compartments]\ndepot = {}\ncentral = { initial = \"CL*0\" }\nbile = {}",
        "[compartments]", "missing-section", "[compartments]", "compartments", "is empty"),
    "no output": ("[outputs.sorafenib]", "[gates.sorafenib]", "missing-section", "", "outputs", "missing"),
    "missing key": ("title = \"A made-up model\"\n", "", "missing-key", "[model]", "model.title",
        "is needed and missing"),
    "bad type": ("revision = 1", 'revision = "one"', "bad-value", "revision", "model.revision",
        "must be a whole number, not 'one'"),
    "bad identifier": ('id = "sorafenib/made-up"', 'id = "Made up"', "bad-value", "id", "model.id",
        "drug/name"),
    "bad DOI": ('doi = "10.1000/made.up"', 'doi = "doi.org/x"', "bad-value", "doi", "sources.paper.doi",
        "a DOI like"),
    "one bracket": ("[[doses]]", "[doses]", "not-toml", "[[doses]]", None, "overwrite a value"),
    "array for a table": ("[compartments]\n", "[[compartments]]\n", "bad-value", "[[compartments]]",
        "compartments", "write [compartments] in one bracket"),
    "not an expression": ('k = "CL/V"', "k = true", "bad-value", "k =", "individual.k",
        "must be an expression in quotes, not true"),
    "syntax": ('k = "CL/V"', 'k = "CL//V"', "expression", "k =", "individual.k", "has '/' where a value"),
    "unknown function": ('k = "CL/V"', 'k = "CL/V*expp(0)"', "expression", "k =", "individual.k",
        "did you mean 'exp'?"),
    "unknown name": ('k = "CL/V"', 'k = "CL/W + 0*V"', "unknown-name", "k =", "individual.k",
        "unknown name W"),
    "misspelt name": ('C = "central/V"', 'C = "centrl/V"', "unknown-name", "C =", "variables.C",
        "did you mean 'central'?"),
    "undeclared effect": ("boxcox(eta_CL, shape)", "boxcox(eta_CL, shape) + eta_ka", "unknown-name", "CL =",
        "individual.CL", "unknown random effect eta_ka"),
    "function as name": ('rate = "k"', 'rate = "k*exp"', "unknown-name", 'rate = "k*', "flows.2.rate",
        "without its brackets"),
    "compartment of a flow": ('from = "bile"', 'from = "bill"', "unknown-compartment", 'from = "bill"',
        "flows.3.from", "did you mean 'bile'?"),
    "target of a flow": ('from = "bile"\nto = "central"', 'from = "bile"\nto = "gut"',
        "unknown-compartment", 'to = "gut"', "flows.3.to", "the compartments are: depot, central, bile"),
    "flow into itself": ('from = "bile"\nto = "central"', 'from = "bile"\nto = "bile"', "flow",
        "[[flows]]#3", "flows.3", "into itself"),
    "transits without end": ('rate = "k"', 'rate = "k"\ntransits = 2', "flow", "transits = 2",
        "flows.2.transits", "need a 'to'"),
    "compartment of a dose": ('compartment = "central"', 'compartment = "centre"', "unknown-compartment",
        'compartment = "centre"', "doses.2.compartment", "did you mean 'central'?"),
    "compartment of an output": ('compartments = ["central"]', 'compartments = ["kidney"]',
        "unknown-compartment", "compartments = [", "outputs.sorafenib.compartments.1",
        "unknown compartment 'kidney'"),
    "compartment of a derivative": ('central = "-VMAX', 'centrl = "-VMAX', "unknown-compartment", "centrl",
        "derivatives.centrl", "did you mean 'central'?"),
    "compartment of a test": ("steady_state = true }", 'steady_state = true, compartment = "mouth" }',
        "unknown-compartment", "{ amount = 400", "tests.1.doses.1.compartment", "'mouth'"),
    "cycle": ('V = "V_pop *', 'V = "0*k + V_pop *', "cycle", "k =", "individual.k", "k → V → k"),
    "cycle through a gate": ('start = "t_empty"', 'start = "MTT*released"', "cycle", 'start = "MTT',
        "gates.released.start", "released → released"),
    "cycle of variables": ('C = "central/V"', 'C = "central/V + D"\nD = "C*1"', "cycle", "C =",
        "variables.C", "C → D → C"),
    "name twice": ('MTT = "t_empty', 'KM = "t_empty', "duplicate-name", "KM = \"", "individual.KM",
        "KM is the name of a parameter already (parameters.KM, row 26)"),
    "effect twice": ('effects = ["eta_F"]', 'effects = ["eta_V"]', "duplicate-name", 'effects = ["eta_V"]',
        "random.2.effects.1", "eta_V is the name of a random effect already"),
    "chain has the name": ("bile = {}", "bile = {}\ndepot_central_2 = {}", "duplicate-name", "transits",
        "flows.1.transits", "depot_central_2 is the name of a compartment already"),
    "reserved context": ("bile = {}", "tad = {}", "reserved-name", "tad", "compartments.tad",
        "it stands for the time after the last dose"),
    "reserved function": ("bile = {}", "phi = {}", "reserved-name", "phi", "compartments.phi",
        "it is a function"),
    "reserved word": ("bile = {}", "lambda = {}", "reserved-name", "lambda", "compartments.lambda",
        "a word of the language"),
    "bad name": ("bile = {}", '"gall bladder" = {}', "bad-name", '"gall', "compartments.gall bladder",
        "a name starts with a letter"),
    "state in individual": ('k = "CL/V"', 'k = "CL/V + 0*central"', "state-not-allowed", "k =",
        "individual.k", "uses central, a compartment"),
    "variable in a dose": ('lag = "30[min]"', 'lag = "30[min] + 0*C"', "state-not-allowed", "lag",
        "doses.1.lag", "uses C, a variable"),
    "category as number": ("0.8 if sex == 'female' else 1", "0.8^sex", "category", "CL =", "individual.CL",
        'compare it, sex == "male" or sex == "female"'),
    "no such level": ("sex == 'female'", "sex == 'femal'", "category", "CL =", "individual.CL",
        "did you mean 'female'?"),
    "no category": ("sex == 'female'", "weight == 'heavy'", "category", "CL =", "individual.CL",
        "weight is no category"),
    "unknown default level": ('default = "male"', 'default = "man"', "unknown-level", 'default = "man"',
        "covariates.sex.default", "'man' is no level"),
    "one level": ('levels = ["male", "female"]', 'levels = ["male"]', "bad-value", "levels =",
        "covariates.sex.levels", "has 1 entries and needs 2"),
    "unit and levels": ('levels = ["male"', 'unit = "1"\nlevels = ["male"', "covariate", "[covariates.sex]",
        "covariates.sex", "needs a unit (a number; '1' if it has none) or levels"),
    "range of a category": ("carry = \"last\"", "carry = \"last\"\nhard = [0, 1]", "covariate", "hard = [0",
        "covariates.sex.hard", "a category has levels, and no range"),
    "soft outside hard": ("soft = [40, 150]", "soft = [10, 150]", "range", "soft", "covariates.weight.soft",
        "10 to 150 is not inside the hard range 20 to 250"),
    "default outside soft": ("default = 80", "default = 160", "range", "default = 160",
        "covariates.weight.default", "outside the soft range 40 to 150"),
    "falling range": ("hard = [20, 250]", "hard = [250, 20]", "range", "hard", "covariates.weight.hard",
        "must rise"),
    "value below low": ("low = 100,", "low = 140,", "range", "CL_pop =", "parameters.CL_pop",
        "the value 135.5 is below low = 140"),
    "low above high": ("low = 100,", "low = 200,", "range", "CL_pop =", "parameters.CL_pop",
        "low 200 is above high 150"),
    "unknown unit of a parameter": ('value = 213, unit = "L"', 'value = 213, unit = "litter"',
        "unknown-unit", "V_pop =", "parameters.V_pop.unit", "'litter' is no unit known here"),
    "unknown unit in an expression": ("30[min]", "30[mint]", "unknown-unit", "lag", "doses.1.lag",
        "'mint'"),
    "unknown unit of an output": ('unit = "ng/mL"', 'unit = "ng/mLL"', "unknown-unit", 'unit = "ng/mLL"',
        "outputs.sorafenib.unit", "no unit known here"),
    "unit of time": ('time = "h"', 'time = "mg"', "unit", 'time = "mg"', "units.time",
        "'mg' is no unit of a time"),
    "sum of units": ('k = "CL/V"', 'k = "CL/V + CL"', "unit", "k =", "individual.k", "adds 1/h and L/h"),
    "flow rate": ('rate = "k"', 'rate = "CL"', "unit", 'rate = "CL"', "flows.2.rate",
        "the rate of a flow must be 1/h, and this is L/h"),
    "flow between units": ("bile = {}", 'bile = { unit = "mg/L" }', "unit", "[[flows]]#3", "flows.3",
        "flows from bile (mg/L) to central (mg)"),
    "derivative": ("-VMAX*C/(KM + C)", "-VMAX*C", "unit", "central = \"", "derivatives.central",
        "must be mg/h, and this is mg^2/h/L"),
    "initial value": ('initial = "CL*0"', 'initial = "CL"', "unit", "central = {",
        "compartments.central.initial", "must be mg, and this is L/h"),
    "bioavailability": ('bioavailability = "1 - F1"', 'bioavailability = "V"', "unit",
        'bioavailability = "V"', "doses.2.bioavailability", "must be a pure number, and this is L"),
    "lag": ('lag = "30[min]"', "lag = 0.5", "unit", "lag", "doses.1.lag",
        "a lag must be h, and this is a pure number"),
    "duration": ('duration = "MTT"', 'duration = "CL"', "unit", "duration = \"CL\"", "doses.2.duration",
        "must be h"),
    "rate of a dose": ('duration = "MTT"', 'rate = "MTT"', "unit", "rate = \"MTT", "doses.2.rate",
        "must be mg/h"),
    "rate and duration": ('duration = "MTT"', 'duration = "MTT"\nrate = "VMAX"', "dose", "[[doses]]#2",
        "doses.2", "a rate and a duration"),
    "dose into a concentration": ("depot = {}", 'depot = { unit = "mg/L" }', "unit",
        'compartment = "depot"', "doses.1.compartment", "a dose is an amount (mg)"),
    "prediction": ('prediction = "C"', 'prediction = "central"', "unit", "prediction",
        "outputs.sorafenib.prediction", "(in ng/mL) must be mg/L, and this is mg"),
    "additive error": ('"0.001[mg/L]"', "0.001", "unit", "error", "outputs.sorafenib.error.additive",
        "(in ng/mL) must be mg/L, and this is a pure number"),
    "proportional error": ("proportional = 0.514", 'proportional = "V"', "unit", "error",
        "outputs.sorafenib.error.proportional", "must be a pure number, and this is L"),
    "gate start": ('start = "t_empty"', 'start = "CL"', "unit", "start", "gates.released.start",
        "the start of a gate must be h"),
    "clock hour": ("at = [8, 12, 18]", "at = [8, 12, 24]", "gate", "at =", "gates.meal.at.3",
        "24 is no clock hour"),
    "clock hours fall": ("at = [8, 12, 18]", "at = [8, 18, 12]", "gate", "at =", "gates.meal.at",
        "hours rise"),
    "clock without hours": ("at = [8, 12, 18]\n", "", "gate", "[gates.meal]", "gates.meal",
        "needs at = [hours]"),
    "clock without length": ('length = "0.5[h]"\n', "", "gate", "[gates.meal]", "gates.meal",
        "needs its length"),
    "clock with start": ('length = "0.5[h]"', 'length = "0.5[h]"\nstart = "2[h]"', "gate", 'start = "2',
        "gates.meal.start", "belongs to a gate of kind 'after-dose'"),
    "unknown gate kind": ('kind = "after-dose"', 'kind = "afterdose"', "bad-value", 'kind = "afterdose"',
        "gates.released.kind", "did you mean 'after-dose'?"),
    "unknown source": ('source = "paper"', 'source = "papre"', "unknown-source", "source", "model.source",
        "did you mean 'paper'?"),
    "unknown source of a parameter": ('value = 1.2, unit = "1/h"',
        'value = 1.2, unit = "1/h", source = "x"', "unknown-source", "ka =", "parameters.ka.source",
        "unknown source 'x'"),
    "unknown error kind": ('kind = "combined"', 'kind = "combine"', "bad-value", "error",
        "outputs.sorafenib.error.kind", "did you mean 'combined'?"),
    "additive part missing": ('additive = "0.001[mg/L]", ', "", "error-model", "error",
        "outputs.sorafenib.error", "'combined' needs its additive part"),
    "proportional part missing": (", proportional = 0.514", "", "error-model", "error",
        "outputs.sorafenib.error", "needs its proportional part"),
    "part too many": ('kind = "combined"', 'kind = "exponential"', "error-model", "error",
        "outputs.sorafenib.error.additive", "'exponential' has no additive part"),
    "limits": ("lower_limit = 10", "lower_limit = 10\nupper_limit = 5", "range", "[outputs.sorafenib]",
        "outputs.sorafenib", "lower_limit 10 is not below upper_limit 5"),
    "asymmetric": ("[0.0864, 0.3866]", "[0.0863, 0.3866]", "random-effects", "covariance",
        "random.1.covariance", "is not symmetric: eta_CL, eta_V is 0.0864 one way and 0.0863 the other"),
    "not semi-definite": (COVARIANCE, COVARIANCE.replace("0.0864", "0.2"), "random-effects", "covariance",
        "random.1.covariance", "not positive semi-definite"),
    "negative variance": ("[[0.0319,", "[[-0.0319,", "random-effects", "covariance", "random.1.covariance",
        "the variance of eta_CL is -0.0319"),
    "wrong size": (COVARIANCE, "covariance = [[0.1]]", "random-effects", "covariance",
        "random.1.covariance", "must be 2 × 2, a row for each of eta_CL, eta_V"),
    "too few variances": (COVARIANCE, "variance = [0.1]", "random-effects", "variance", "random.1.variance",
        "has 1 entries for 2 effects"),
    "two forms": ("cv_percent = [30]", "cv_percent = [30]\nsd = [0.3]", "random-effects", "[[random]]#2",
        "random.2", "exactly one of covariance, variance, sd, cv_percent, and has"),
    "no form": ("cv_percent = [30]\n", "", "random-effects", "[[random]]#2", "random.2", "and has none"),
    "correlation beyond 1": (COVARIANCE, 'sd = [1, 1]\ncorrelation = [["eta_CL", "eta_V", 1.2]]',
        "random-effects", "correlation", "random.1.correlation.1", "is 1.2, outside"),
    "correlation of a stranger": (COVARIANCE, 'sd = [1, 1]\ncorrelation = [["eta_CL", "eta_F", 0.2]]',
        "random-effects", "correlation", "random.1.correlation.1", "unknown effect eta_F"),
    "correlation and covariance": (COVARIANCE, COVARIANCE + "\ncorrelation = []", "random-effects",
        "correlation", "random.1.correlation", "goes with variance, sd or cv_percent"),
    "test names a covariate": ("weight = 70", "wieght = 70", "test", "covariates = {",
        "tests.1.covariates.wieght", "did you mean 'weight'?"),
    "test names a level": ('sex = "female" }', 'sex = "woman" }', "test", "covariates = {",
        "tests.1.covariates.sex", "'woman' is no level of sex"),
    "test outside the range": ("weight = 70", "weight = 700", "test", "covariates = {",
        "tests.1.covariates.weight", "outside the hard range"),
    "test names a parameter": ("{ CL_pop = 100 }", "{ CL = 100 }", "test", "parameters = {",
        "tests.1.parameters.CL", "unknown parameter CL; the parameters are: CL_pop"),
    "test names an effect": ("{ eta_CL = 0.1 }", "{ eta_C = 0.1 }", "test", "effects = {",
        "tests.1.effects.eta_C", "did you mean 'eta_CL'?"),
    "test names an output": ('value = 98.01 }', 'value = 98.01, output = "x" }', "test",
        '{ quantity = "auc"', "tests.1.expect.1.output", "unknown output x"),
    "test without an end": ("start = 0, end = 12,", "start = 0,", "test", '{ quantity = "auc"',
        "tests.1.expect.1", "the quantity 'auc' needs start and end"),
    "test without an interval": ("interval = 12, ", "", "test", "{ amount = 400", "tests.1.doses.1",
        "need an interval"),
    "unknown quantity": ('quantity = "auc"', 'quantity = "area"', "bad-value", '{ quantity = "area"',
        "tests.1.expect.1.quantity", "the choices are: at, auc, cmax, tmax, cmin"),
}  # fmt: skip

CONSEQUENCES = {
    "unknown section", "missing section", "no output", "name twice", "effect twice", "reserved context",
    "reserved function", "reserved word", "bad name", "no category", "derivative",
    "dose into a concentration",
}  # fmt: skip
"""The edits above that break, or leave unused, something else as well."""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_at_its_line_and_place(fault: tuple[str, ...]) -> None:
    """One edit of the example, and a finding at the edited line that names the place."""
    old, new, code, line, place, part = fault
    assert old in EXAMPLE
    text = EXAMPLE.replace(old, new, 1)
    model, found = read_model(text, file="model.toml")
    assert model is None
    start, _, count = line.partition("#")
    rows = [i for i, written in enumerate(text.splitlines(), 1) if written.strip().startswith(start)]
    row = None if not line else rows[int(count or 1) - 1]
    assert (code, row, place) in [(f.code, f.row, f.column) for f in found.errors]
    message = next(f.message for f in found.errors if (f.code, f.row, f.column) == (code, row, place))
    assert part in message
    assert all("\n" not in f.message and f.file == "model.toml" for f in found)


def test_a_fault_makes_no_others() -> None:
    """What depends on a faulty part is not reported too: no unit, name or use is guessed for it."""
    for name in sorted(set(FAULTS) - CONSEQUENCES):
        old, new, *_ = FAULTS[name]
        found = findings(EXAMPLE.replace(old, new, 1))
        assert len(found) == 1, (name, [f.line() for f in found])


def test_all_faults_are_reported_together_in_the_order_of_the_file() -> None:
    """Twelve faults of all kinds in one file give twelve errors, none hidden by another."""
    chosen = [
        "unknown key",
        "bad type",
        "unknown unit of a parameter",
        "soft outside hard",
        "asymmetric",
        "syntax",
        "no such level",
        "target of a flow",
        "clock hour",
        "lag",
        "additive error",
        "test names an effect",
    ]
    text = EXAMPLE
    for name in chosen:
        old, new, *_ = FAULTS[name]
        text = text.replace(old, new, 1)
    found = findings(text)
    wanted = {(FAULTS[name][2], FAULTS[name][4]) for name in chosen}
    assert {(f.code, f.column) for f in found.errors} == wanted
    rows = [f.row or 0 for f in found]
    assert rows == sorted(rows)


@pytest.mark.parametrize(
    ("old", "new", "line", "place"),
    [
        ("shape = 0.3", "shape = 0.3\nspare = 2", "spare", "parameters.spare"),
        ("[covariates.sex]", '[covariates.age]\nunit = "yr"\n[covariates.sex]', "[covariates.age]",
         "covariates.age"),
        ('effects = ["eta_F"]\ncv_percent = [30]', 'effects = ["eta_F", "eta_k"]\ncv_percent = [30, 10]',
         'effects = ["eta_F"', "random.2.effects.2"),
    ],
)  # fmt: skip
def test_what_nothing_uses_is_a_warning(old: str, new: str, line: str, place: str) -> None:
    """An unused parameter, covariate or effect leaves the model usable (a test must give the covariate)."""
    text = EXAMPLE.replace(old, new, 1).replace(
        "weight = 70", "weight = 70, age = 60" if "age" in new else "weight = 70"
    )
    model, found = read_model(text, file="model.toml")
    assert model is not None, [f.line() for f in found]
    row = next(i for i, written in enumerate(text.splitlines(), 1) if written.startswith(line))
    finding: Finding = next(iter(found))
    assert (finding.severity, finding.code) == (Severity.WARNING, "unused")
    assert (finding.row, finding.column) == (row, place)


def test_a_model_without_doses_is_warned_of() -> None:
    """A turnover model may have none, so it is no error."""
    model, found = read_model(EXAMPLE.replace(DOSES, "", 1), file="model.toml")
    assert model is not None
    assert "no-doses" in [f.code for f in found]
    said, found = read_model("doses = []\n" + EXAMPLE.replace(DOSES, "", 1), file="model.toml")
    assert said is not None
    assert "no-doses" not in [f.code for f in found]


def test_a_calibrated_model_names_the_source_of_every_number() -> None:
    """Without [model] source, a number that names none is an error there, elsewhere a warning."""
    sources = """doses = []
[sources.paper]
citation = "made up"
[model]
id = "own/model"
title = "Growth"
drug = "own"
revision = 1
calibrated = CALIBRATED
[parameters]
k = { value = 0.1, unit = "1/d" }
n_0 = { value = 1, unit = "1", source = "paper" }
[compartments]
n = { initial = "n_0", unit = "1" }
[derivatives]
n = "k * n"
[outputs.n_seen]
prediction = "n"
unit = "1"
error = { kind = "none" }
"""
    model, found = read_model(sources.replace("CALIBRATED", "false"), file="model.toml")
    assert model is not None
    assert [(f.severity, f.code, f.column) for f in found] == [
        (Severity.WARNING, "no-source", "parameters.k")
    ]
    model, found = read_model(sources.replace("CALIBRATED", "true"), file="model.toml")
    assert model is None
    assert [(f.severity, f.code, f.row) for f in found] == [(Severity.ERROR, "no-source", 11)]
    named = sources.replace("CALIBRATED", 'true\nsource = "paper"')
    assert not read_model(named, file="model.toml")[1].items
