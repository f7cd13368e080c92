"""The items of REMARK and STROBE that a report satisfies, told from what its results really contain.

REMARK: Altman et al., BMC Med 2012;10:51, doi:10.1186/1741-7015-10-51 (20 items).
STROBE: von Elm et al., PLoS Med 2007;4:e296, doi:10.1371/journal.pmed.0040296 (22 items).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from troughline.report.reading import entries, part

Json = dict[str, Any]
NOT_COMPUTED = "Not computed"
"""How the effect of a guard starts that was found and whose effect was not computed."""
Status = Literal["in this report", "in part", "not in this report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where content stands in the page: an anchor without `#`, and what a link to it says.

    `whole` is false where only some of what was asked for stands there.
    """

    anchor: str
    words: str
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a checklist as this report meets it."""

    number: str
    section: str
    asks: str
    status: Status
    places: tuple[Place, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """A guideline's items, with its DOI."""

    title: str
    doi: str
    items: tuple[Item, ...]

    def number_of(self, status: Status) -> int:
        """How many items have that status."""
        return sum(item.status == status for item in self.items)


def checklists(results: Json) -> tuple[Checklist, ...]:
    """Both checklists, judged on `results`; an item is met only where everything it needs is found."""
    data = tomllib.loads(files("troughline.report").joinpath("checklist.toml").read_text("utf-8"))
    return tuple(
        Checklist(
            title=part["title"], doi=part["doi"], items=tuple(_judged(item, results) for item in part["item"])
        )
        for part in data.values()
    )


def _judged(item: Json, results: Json) -> Item:
    places: list[Place] = []
    missing: list[str] = []
    for need in item["needs"]:
        check, absent = CHECKS[need]
        place = check(results)
        if place is None:
            missing.append(absent)
            continue
        if not place.whole:
            missing.append(absent)
        if place not in places:
            places.append(place)
    author = item.get("author")
    if author:
        missing.append(f"{author} (for the authors)")
    status: Status = "in this report" if not missing else "in part" if places else "not in this report"
    return Item(
        number=item["number"],
        section=item["section"],
        asks=item["asks"],
        status=status,
        places=tuple(places),
        missing=tuple(missing),
    )


def _questions(results: Json) -> Iterator[Json]:
    yield from entries(results, "questions")


def _samples(results: Json) -> list[Json]:
    return entries(part(results, "exposure"), "samples")


def _in_question(test: Callable[[Json], bool], words: str, part: str = "") -> Callable[[Json], Place | None]:
    """A check that finds the first question for which `test` holds."""

    def check(results: Json) -> Place | None:
        for question in _questions(results):
            if test(question):
                return Place(anchor=f"q-{question.get('id')}{part}", words=words)
        return None

    return check


def _in_every_question(
    test: Callable[[Json], bool], words: str, part: str = ""
) -> Callable[[Json], Place | None]:
    """A check that holds in part unless it holds for every question that could be analysed."""

    def check(results: Json) -> Place | None:
        answered = [q for q in _questions(results) if q.get("verdict") != "not analysable"]
        found = [q for q in answered if test(q)]
        if not found:
            return None
        return Place(anchor=f"q-{found[0].get('id')}{part}", words=words, whole=len(found) == len(answered))

    return check


def _in_results(test: Callable[[Json], bool], anchor: str, words: str) -> Callable[[Json], Place | None]:
    """A check that looks at the results as a whole."""

    def check(results: Json) -> Place | None:
        return Place(anchor=anchor, words=words) if test(results) else None

    return check


def _estimates(*names: str, method: str = "") -> Callable[[Json], bool]:
    def test(question: Json) -> bool:
        return any(
            e.get("name") in names
            and (e.get("value") is not None or e.get("p_value") is not None)
            and str(e.get("method", "")).startswith(method)
            for e in entries(question, "estimates")
        )

    return test


def _has_interval(estimate: Json) -> bool:
    return all(estimate.get(k) is not None for k in ("value", "low", "high"))


def _bounded(question: Json) -> bool:
    return any(_has_interval(e) for e in entries(question, "estimates"))


def _both_columns(question: Json) -> bool:
    keys: dict[str, set[tuple[Any, Any]]] = {"as-published": set(), "guarded": set()}
    for e in entries(question, "estimates"):
        for start, found in keys.items():
            if str(e.get("method", "")).startswith(start) and (e.get("value"), e.get("low")) != (None, None):
                found.add((e.get("name"), e.get("label")))
    return bool(keys["as-published"] & keys["guarded"])


def _is_adjusted(estimate: Json) -> bool:
    words = f"{estimate.get('method', '')} {estimate.get('label', '')}".lower()
    return "adjusted" in words and "unadjusted" not in words


def _adjusted(question: Json) -> bool:
    return any(_is_adjusted(e) and _has_interval(e) for e in entries(question, "estimates"))


def _univariable(question: Json) -> bool:
    return any(
        e.get("name") in {"hazard_ratio", "odds_ratio"} and _has_interval(e) and not _is_adjusted(e)
        for e in entries(question, "estimates")
    )


def _covariate_effects(question: Json) -> bool:
    """Whether the question gives an effect with its interval for a covariate of an adjusted model."""
    return any(
        str(e.get("name", "")).startswith("covariate_") and _is_adjusted(e) and _has_interval(e)
        for e in entries(question, "estimates")
    )


def _finds_cuts(question: Json) -> bool:
    found = _estimates("threshold", "window_lower", "window_upper")(question)
    return found and bool(entries(question, "methods"))


def _has_endpoint(question: Json) -> bool:
    series = part(question, "series")
    named = [part(series, k) for k in ("distribution", "curve", "benefit", "toxicity")]
    timed = [part(series, k) for k in ("km_as_published", "km_guarded")]
    return any(s.get("outcome_label") for s in named) or any(
        s.get("title") and s.get("origin") for s in timed
    )


def _counts_events(question: Json) -> bool:
    series = part(question, "series")
    return any(
        group.get("events") is not None
        for key in ("km_as_published", "km_guarded", "curve", "benefit", "toxicity")
        for group in entries(part(series, key), "groups")
    ) or bool(part(series, "distribution").get("outcome"))


def _external(question: Json) -> bool:
    series = part(question, "series")
    cuts = entries(series, "cuts") + entries(part(series, "curve"), "cuts")
    bounds = entries(part(series, "bounds"), "external")
    return bool(bounds) or any(c.get("kind") == "external" for c in cuts)


def _age_and_sex(results: Json) -> bool:
    named = [str(row[0]).strip().lower() for row in entries(part(results, "table1"), "rows") if row]
    return all(any(name.startswith(start) for name in named) for start in ("age", "sex"))


def _table1_by_exposure(results: Json) -> bool:
    unit = str(part(results, "exposure").get("unit") or "")
    return bool(unit) and any(unit in str(c) for c in entries(part(results, "table1"), "columns"))


def _says_missing(results: Json) -> bool:
    rows = entries(part(results, "table1"), "rows")
    return any("missing" in str(row[0]).lower() for row in rows if row)


def _handles_missing(results: Json) -> bool:
    return any("missing" in str(g.get("id")) for g in entries(results, "guards_checked"))


CHECKS: dict[str, tuple[Callable[[Json], Place | None], str]] = {
    "questions": (_in_results(lambda r: any(_questions(r)), "glance", "questions"), "the questions"),
    "summaries": (
        _in_every_question(lambda q: bool(q.get("summary")), "summary"),
        "a summary of every question",
    ),
    "verdicts": (
        _in_results(lambda r: any(q.get("verdict") for q in _questions(r)), "glance", "verdicts"),
        "verdicts",
    ),
    "description": (
        _in_results(lambda r: bool(part(r, "study").get("description")), "top", "description"),
        "a description of the study",
    ),
    "n_patients": (
        _in_results(lambda r: bool(part(r, "study").get("n_patients")), "top", "number of patients"),
        "the number of patients",
    ),
    "table1": (
        _in_results(lambda r: bool(part(r, "table1").get("rows")), "patients", "Table 1"),
        "a table of the patients",
    ),
    "table1_by_exposure": (
        _in_results(_table1_by_exposure, "patients", "Table 1 by exposure"),
        "patients' characteristics by exposure",
    ),
    "age_and_sex": (
        _in_results(_age_and_sex, "patients", "age and sex in Table 1"),
        "age and sex in the table of the patients",
    ),
    "missing_counts": (
        _in_results(_says_missing, "patients", "missing values in Table 1"),
        "counts of missing values",
    ),
    "missing_data": (
        _in_results(_handles_missing, "guards-checked", "rule on missing data"),
        "how missing data were handled",
    ),
    "exposure": (
        _in_results(lambda r: bool(_samples(r)), "exposure", "exposure distribution"),
        "the distribution of the marker",
    ),
    "doses": (
        _in_results(
            lambda r: any(s.get("dose_mg_per_day") is not None for s in _samples(r)),
            "exposure",
            "doses at sampling",
        ),
        "doses",
    ),
    "sampling_times": (
        _in_results(
            lambda r: any(s.get("time_after_dose_h") is not None for s in _samples(r)),
            "exposure",
            "samples and times after dose",
        ),
        "times of sampling after the dose",
    ),
    "sample_reasons": (
        _in_results(
            lambda r: (
                any(s.get("used") == "used" for s in _samples(r))
                and all(s.get("reason") for s in _samples(r) if s.get("used") == "not used")
            ),
            "exposure",
            "samples used and not used",
        ),
        "which samples were used, and why not the others",
    ),
    "input_hashes": (
        _in_results(
            lambda r: bool(part(r, "provenance").get("inputs")),
            "provenance",
            "tables the data came from",
        ),
        "the tables the data came from",
    ),
    "limits_of_quantification": (
        _in_results(
            lambda r: any(s.get("below_limit") for s in _samples(r)), "exposure", "values below the limit"
        ),
        "limits of quantification",
    ),
    "endpoints": (
        _in_every_question(_has_endpoint, "endpoint", "-figures"),
        "the endpoint of every question",
    ),
    "events": (
        _in_every_question(_counts_events, "numbers of events", "-figures"),
        "numbers of events of every question",
    ),
    "methods": (
        _in_every_question(lambda q: bool(q.get("methods")), "methods", "-methods"),
        "the methods of every question",
    ),
    "assumptions": (
        _in_question(
            _estimates("ph_test", "ph_p", "spline_nonlinearity", "nonlinearity_p"),
            "checks of assumptions",
            "-numbers",
        ),
        "checks of assumptions",
    ),
    "cut_points": (
        _in_question(_finds_cuts, "how cut points were found", "-methods"),
        "how cut points were found",
    ),
    "precision": (
        _in_question(_estimates("n_to_halve"), "precision and number of patients", "-numbers"),
        "a statement of precision",
    ),
    "numbers_at_risk": (
        _in_question(
            lambda q: any(
                (part(part(q, "series"), k)).get("at_risk") for k in ("km_as_published", "km_guarded")
            ),
            "numbers at risk",
            "-figures",
        ),
        "numbers at risk",
    ),
    "survival_curves": (
        _in_question(
            lambda q: any(
                (part(part(q, "series"), k)).get("groups") for k in ("km_as_published", "km_guarded")
            ),
            "survival curves",
            "-figures",
        ),
        "survival curves",
    ),
    "univariable": (
        _in_question(_univariable, "effect of the marker on its own", "-numbers"),
        "an effect of the marker on its own, with its interval",
    ),
    "covariate_effects": (
        _in_question(_covariate_effects, "effects of the covariates", "-numbers"),
        "effects, with intervals, of the other variables in the adjusted model",
    ),
    "follow_up": (
        _in_question(_estimates("median_follow_up", "total_follow_up"), "length of follow-up", "-numbers"),
        "average and total length of follow-up",
    ),
    "adjusted": (_in_question(_adjusted, "adjusted effect", "-numbers"), "adjusted effects with intervals"),
    "absolute_risk": (
        _in_question(
            _estimates("risk", "probability", "p_outcome", "p_benefit", "p_toxicity", "survival_probability"),
            "absolute risks",
            "-numbers",
        ),
        "absolute risks",
    ),
    "intervals": (_in_question(_bounded, "estimates with intervals", "-numbers"), "estimates with intervals"),
    "both_columns": (
        _in_question(_both_columns, "as published beside guarded", "-numbers"),
        "a second analysis beside the first",
    ),
    "optimism": (
        _in_question(
            _estimates("auc_corrected", "youden_corrected", "maxstat_p"),
            "correction for optimism",
            "-numbers",
        ),
        "internal validation",
    ),
    "external_cuts": (
        _in_question(_external, "levels of other studies", "-figures"),
        "results of other studies",
    ),
    "guards": (
        _in_results(lambda r: bool(r.get("guards_checked")), "guards-checked", "guards"),
        "rules against bias",
    ),
    "guard_effects": (
        _in_question(
            lambda q: any(
                g.get("effect") and not str(g["effect"]).startswith(NOT_COMPUTED)
                for g in entries(q, "guards")
            ),
            "what guards changed",
            "-guards",
        ),
        "what each source of bias did",
    ),
}
"""Each check: where the content stands (None where it is not there), and its name where it is missing."""
