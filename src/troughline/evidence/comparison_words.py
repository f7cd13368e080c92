"""A comparison with what is published as plain values and sentences, for `results.json` and the report."""

from __future__ import annotations

import math
from typing import Any

from troughline.evidence.borrowing import Borrowing
from troughline.evidence.effects import Effect
from troughline.evidence.replication import Agreement, Comparison

Json = dict[str, Any]


def comparison_contents(comparison: Comparison, *, name: str, label: str) -> Json:
    """What `results.json` holds of a comparison: every number a figure or a sentence needs.

    `name` is the estimate's name (`auc`), `label` what it applies to (a band, a contrast).
    """
    c = comparison
    posterior = c.borrowing
    return {
        "name": name,
        "label": label,
        "unit": c.new.unit,
        "scale": c.new.scale,
        "level": c.level,
        "agreement": str(c.agreement),
        "reason": c.reason,
        "sentence": sentence(c),
        "new": _effect(c.new),
        "new_holds_published": c.new_holds_published,
        "published": [
            *({**_effect(e), "used": True, "why_not": ""} for e in c.published),
            *({**_effect(e), "used": False, "why_not": why} for e, why in c.shown),
        ],
        "pooled": None
        if c.value is None
        else {
            "value": c.value,
            "low": c.low,
            "high": c.high,
            "k": len(c.published),
            "tau": c.tau,
            "i2": c.pooled.i2 if c.pooled else None,
            "q_p": c.pooled.q_p if c.pooled else None,
            "prediction_low": c.prediction_low,
            "prediction_high": c.prediction_high,
            "prediction_method": c.pooled.prediction_method
            if c.pooled
            else "normal, with the tau given"
            if c.prediction_low is not None
            else "none: one study",
        },
        "inside_prediction": c.inside_prediction,
        "p_difference": c.p,
        "p_margin": c.p_margin,
        "margin_low": c.margin_low,
        "margin_high": c.margin_high,
        "posterior": None
        if posterior is None
        else {
            "value": c.posterior_value,
            "low": c.posterior_low,
            "high": c.posterior_high,
            "prior": posterior.prior.words,
            "conflict_p": posterior.conflict_p,
            "published_weight": posterior.weights[0],
            "prior_worth_patients": posterior.effective_n,
            "width_before": c.width_before,
            "width_after": c.width_after,
        },
        "flags": list(c.flags),
    }


def table_row(contents: Json) -> Json:
    """One row of the table that lists all comparisons of a question."""
    new: Json = contents["new"]
    pooled: Json = contents["pooled"] or {}
    posterior: Json = contents["posterior"] or {}
    low, high = pooled.get("prediction_low"), pooled.get("prediction_high")
    name = ", ".join(filter(None, (contents["name"].replace("_", " "), contents["label"])))
    return {
        "quantity": name,
        "unit": contents["unit"],
        "published": "; ".join(f"{p['label']}: {_printed(p)}" for p in contents["published"]),
        "prediction interval": None if low is None or high is None else _span(low, high),
        "these patients": _span(new["low"], new["high"]) if new["basis"] else _printed(new),
        "together": _printed(posterior) if posterior else None,
        "agreement": contents["agreement"],
        "difference_p": contents["p_difference"],
        "conflict_p": posterior.get("conflict_p"),
        "notes": "; ".join(
            [
                *(f"{p['label']}: {p['why_not']}" for p in contents["published"] if p["why_not"]),
                *contents["flags"],
            ]
        ),
    }


def sentence(c: Comparison) -> str:
    """The comparison in words, with numbers, for a reader who sees nothing else."""
    parts = [f"{_verdict(c)}: {c.reason}."]
    if c.value is not None and c.p is not None:
        who = "the published estimate" if len(c.published) == 1 else f"{len(c.published)} published estimates"
        here = _range(c.new.value, c.new.low, c.new.high)
        there = _range(c.value, c.low, c.high)
        text = f"{here} here against {there} from {who} (p {_p(c.p)} for a difference)"
        if c.inside_prediction is not None:
            where = "inside" if c.inside_prediction else "outside"
            text += (
                f"; it lies {where} the prediction interval "
                f"{_number(c.prediction_low)}–{_number(c.prediction_high)}"
            )
        parts.append(f"{text}.")
    elif c.new_holds_published is not None:
        names = ", ".join(f"{e.label} ({_number(e.value)})" for e in (*c.published, *(e for e, _ in c.shown)))
        holds = "holds" if c.new_holds_published else "does not hold"
        parts.append(f"The interval here, {_span(c.new.low, c.new.high)}, {holds} what was printed: {names}.")
    if c.borrowing is not None:
        parts.append(_added(c, c.borrowing))
    return " ".join(parts)


def _added(c: Comparison, b: Borrowing) -> str:
    text = (
        f"Together they give {_range(c.posterior_value, c.posterior_low, c.posterior_high)} "
        f"(prior: {b.prior.words}"
    )
    if b.effective_n is not None:
        text += (
            f"; it adds as much as {b.effective_n:.0f} more of these patients would"
            if b.effective_n >= 0.5
            else "; it adds nothing to these patients"
        )
    text += ")"
    if c.width_before is not None and c.width_after is not None:
        ratio = c.width_after / c.width_before
        text += f", an interval {ratio:.2f} times as wide as that of these patients alone"
    text += f". Prior predictive p {_p(b.conflict_p)}: "
    if b.conflict_p >= 1.0 - c.level:
        return f"{text}no conflict is seen."
    text += "what is published and these data are in conflict"
    return (
        f"{text}; the published part keeps a weight of {b.weights[0]:.2g}."
        if len(b.weights) > 1
        else f"{text}."
    )


def _verdict(c: Comparison) -> str:
    return {
        Agreement.CONSISTENT: "Consistent with what is published",
        Agreement.DIFFERENT_SIZE: "Same direction as published, different size",
        Agreement.INCONSISTENT: "Inconsistent with what is published",
        Agreement.CANNOT_TELL: "These data cannot tell whether what is published holds",
    }[c.agreement]


def _effect(e: Effect) -> Json:
    return {
        "label": e.label, "value": e.value, "low": e.low, "high": e.high,
        "level": None if e.low is None and e.high is None else e.level, "n": e.n, "basis": e.basis,
        "source": e.source, "verified": e.verified,
    }  # fmt: skip


def _printed(e: Json) -> str:
    return _range(e["value"], e["low"], e["high"])


def _range(value: float | None, low: float | None, high: float | None) -> str:
    text = _number(value)
    return text if low is None and high is None else f"{text} ({_span(low, high)})"


def _span(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to {_number(high)}, not bounded below"
    return (
        f"{_number(low)}–{_number(high)}" if high is not None else f"from {_number(low)}, not bounded above"
    )


def _number(value: float | None) -> str:
    """Three significant digits, plain."""
    if value is None or not math.isfinite(value):
        return "not bounded"
    size = 0 if value == 0 else math.floor(math.log10(abs(float(f"{value:.3g}"))))
    return f"{value:.{max(0, 2 - size)}f}" if size < 4 else f"{value:.3g}"


def _p(value: float) -> str:
    if value < 0.001:
        return "< 0.001"
    return f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"
