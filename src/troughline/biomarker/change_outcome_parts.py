"""The link of a change to an outcome as estimates, a table and sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.biomarker.change_regression import FAR
from troughline.biomarker.imputation import IMPUTATIONS
from troughline.cohort.describe import listed
from troughline.response.guards.wording import count, day, number, p_value
from troughline.response.questions.parts import finite
from troughline.results import Estimate, Json

if TYPE_CHECKING:
    from troughline.biomarker.endpoint import Effect
    from troughline.biomarker.outcome_facts import LinkFinding, OutcomeLink
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.response.questions.parts import Parts

REFERENCES = (
    "Anderson 1983, doi 10.1200/JCO.1983.1.11.710",
    "White & Royston 2009, doi 10.1002/sim.3618",
    "Rubin 1987, doi 10.1002/9780470316696",
)


def fill_outcome(parts: Parts, question: ChangeQuestion, link: OutcomeLink, level: float) -> None:
    """Put what the changes say of the outcome into `parts`."""
    several = len(question.occasion_names) > 2
    for finding in link.findings:
        parts.estimates += _estimates(finding, question, link, level, several)
    if link.findings:
        parts.tables["change-and-outcome"] = [_row(f) for f in link.findings]
        parts.methods += _methods(question, link)
        parts.references += REFERENCES
    parts.summary += _summary(link)


def _name(f: LinkFinding, several: bool) -> str:
    return f"{f.marker}, {f.occasion}" if several else f.marker


def _estimates(
    f: LinkFinding, question: ChangeQuestion, link: OutcomeLink, level: float, several: bool
) -> list[Estimate]:
    name, model = (
        ("hazard_ratio", "Cox") if link.kind == "survival" else ("odds_ratio", "logistic regression")
    )
    marker = _name(f, several)
    start = "from the first dose" if link.counted_from == "first dose" else "from the second sample"
    origin = f"{model} {start}" if link.kind == "survival" else model
    later = f"{model} {'from' if link.kind == 'survival' else 'among those at risk at'} the second sample"
    adjusted = listed(("the first level", *question.adjust))
    out: list[Estimate] = []
    two = f"{marker}: {link.responder} vs others"
    whole = "" if f.step == "per doubling" else " of the change"
    for effect, words, method, n, note in (
        (f.published, two, f"as-published: {origin}", f.n_published,
         f"{f.n_responders} of {f.n_published} are responders"),
        (f.same_groups, two, f"guarded: {later}, the same groups", f.n_at_risk, _lost(f)),
        (f.change, f"{marker}: change, {f.step}", f"guarded: {later}, adjusted for {adjusted}; p corrected",
         f.n, _change_note(f)),
        (f.first_level, f"{marker}: first level, {f.step}{whole}", f"guarded: {later}, beside the change",
         f.n, ""),
    ):  # fmt: skip
        if effect is not None:
            p = f.p_adjusted if effect is f.change else effect.p_value
            out.append(_estimate(name, effect, words, method, level, n, p, note))
    return out


def _estimate(
    name: str, effect: Effect, label: str, method: str, level: float, n: int, p: float | None, note: str
) -> Estimate:
    return Estimate(
        name=name, value=_ratio(effect.value), low=_ratio(effect.low), high=_ratio(effect.high), level=level,
        n=n, label=label, p_value=finite(p), method=method, note=note,
    )  # fmt: skip


def _ratio(log: float | None) -> float | None:
    log = finite(log)
    return None if log is None or log > 700 else math.exp(log)


def _lost(f: LinkFinding) -> str:
    lost = f.before.n_event + f.before.n_ended
    return f"{count(lost, 'patient')} no longer at risk by then" if lost else ""


def _change_note(f: LinkFinding) -> str:
    words = [f"{count(f.n_events, 'event')}"]
    if f.change is not None and f.p_adjusted is not None:
        words.append(f"p alone {f.change.p_value:.2g}")
    if f.n_beyond:
        words.append(f"{count(f.n_beyond, 'level')} beyond a limit drawn {IMPUTATIONS} times, which costs "
                     f"{100 * f.missing_information:.0f} % of the information")  # fmt: skip
        if f.near is not None and f.far is not None:
            words.append(
                f"with each at its limit {number(_ratio(f.near))}, far beyond it {number(_ratio(f.far))}"
            )
    if f.penalised:
        words.append("Firth's penalty, the likelihood having no maximum")
    return "; ".join(words)


def _row(f: LinkFinding) -> Json:
    before = f.before
    return {
        "marker": f.marker,
        "occasion": f.occasion,
        "followed": before.n_followed,
        "event by the second sample": before.n_event,
        "followed no longer": before.n_ended,
        "at risk, no pair": before.n_unsampled,
        "analysed": f.n,
        "events": f.n_events,
        "beyond limit": f.n_beyond,
        "as_published_p": None if f.published is None else finite(f.published.p_value),
        "same_groups_p": None if f.same_groups is None else finite(f.same_groups.p_value),
        "change_p": None if f.change is None else finite(f.change.p_value),
        "corrected_p": f.p_adjusted,
        "not computed": "; ".join(f.why),
    }


def _summary(link: OutcomeLink) -> str:
    if link.failed:
        return f" The change could not be held against the outcome: {link.failed}."
    known = [f for f in link.findings if f.change is not None]
    first = link.findings[0]
    text = f" Held against {link.label}, from the second sample on, in {count(first.n, 'patient')} still at "
    text += f"risk ({count(first.n_events, 'event')}): "
    if not known:
        return text + "not computed; the table says why."
    held = [f for f in known if f.p_adjusted is not None and f.p_adjusted < 0.05]
    if not held:
        smallest = min(f.p_adjusted or 1.0 for f in known)
        return text + f"no change goes with it at equal first level (smallest corrected {p_value(smallest)})."
    word = "hazard" if link.kind == "survival" else "odds"
    told = [
        f"{f.marker} {word} ratio {number(_ratio(f.change.value))} {f.step} "
        f"({number(_ratio(f.change.low))} to {number(_ratio(f.change.high))}), {p_value(f.p_adjusted or 0.0)}"
        for f in held
        if f.change is not None
    ]
    return text + "; ".join(told[:6]) + ". A change that goes with the outcome need not be its cause."


def _methods(question: ChangeQuestion, link: OutcomeLink) -> list[str]:
    first = link.findings[0].before
    rule = question.responder
    shown = (
        "those without a second sample count as non-responders"
        if rule.unsampled == "non-responders" and link.counted_from == "first dose"
        else "those without a second sample are left out"
    )
    model = "a hazard (Cox, Efron's ties)" if link.kind == "survival" else "odds (logistic)"
    zero = (
        f"Each patient's time zero is the second sample (median day {day(first.median_day)}): in the guarded "
        "column are those alive, without the event and sampled by then."
        if link.counted_from == "first dose"
        else "The outcome counts from the second sample as it stands in the table."
    )
    lines = [
        f"Outcome, as published: responders ({link.responder}, half the limit below it) against the others; "
        f"{shown}.",
        f"{zero} The change enters {model} as a number, {link.findings[0].step}, beside the first level"
        + (f" and {listed(question.adjust)}" if question.adjust else "")
        + "; corrected over the markers.",
    ]
    if any(f.n_beyond for f in link.findings):
        lines.append(
            f"Levels beyond a limit are drawn {IMPUTATIONS} times from a Tobit mixed model that knows the "
            "outcome and the covariates, its parameters anew from a bootstrap sample each time, and the "
            "regressions are pooled by Rubin's rules; beside it the ratio with each such level at its limit, "
            f"and {f'{FAR:g} times beyond it' if question.scale == 'ratio' else 'at 0 or far above it'}."
        )
    if first.unit and link.counted_from == "first dose" and link.kind == "survival":
        lines.append(
            f"Time before the second sample, in which nobody analysed could have the event: "
            f"{number(first.person_time)} patient-{first.unit}s; it counts in neither group."
        )
    if (
        link.kind == "binary"
        and question.outcome is not None
        and question.outcome.column is not None
        and (link.counted_from == "first dose")
    ):
        lines.append(
            "The outcome's column tells no day: who had it before the second sample cannot be left out."
        )
    return lines
