"""Guards about a signature of several markers: patients without a covariate, and optimism."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.guards.registry import Fired, guard
from troughline.response.guards.wording import count, interval, number

if TYPE_CHECKING:
    from troughline.response.case import Case

KIND = ("interaction",)
MISSING_SHARE = 0.10
OPTIMISM_SHARE = 0.25


@guard(
    "signature-incomplete",
    title="Signature fitted to patients with every covariate",
    detects="more than a tenth of the patients of the arms without a covariate of the signature",
    absent="nine in ten have every covariate, or there is no signature",
    remedy="Say who lacks what and why; leave the covariate out, or impute it and say how.",
    reference="Collins 2015 (TRIPOD), doi 10.7326/M14-0697",
    kinds=KIND,
)
def signature_incomplete(case: Case) -> Fired | None:
    """Complete cases are less than 90 %."""
    facts = case.interaction.signature if case.interaction is not None else None
    if facts is None or facts.n_total - facts.n_complete <= MISSING_SHARE * facts.n_total:
        return None
    missing = ", ".join(f"{name} ({n})" for name, n in facts.missing[:4])
    return Fired(
        finding=f"{facts.n_complete} of {count(facts.n_total, 'patient')} have every covariate of the "
        f"signature; missing: {missing}.",
        effect=f"It is fitted and judged with {facts.n_events_complete} of "
        f"{count(facts.n_events_total, 'event')}, and holds for patients like those.",
    )


@guard(
    "overfitted-signature",
    title="Signature worth less outside than inside",
    detects="a signature that loses more than a quarter of its concordance above one half in patients it had "
    "not seen, or whose predictions are too extreme there (calibration slope below 1 with its interval)",
    absent="it keeps three quarters and its slope may be 1, or there is no signature",
    remedy="State the worth in patients it had not seen; use fewer covariates, or more patients; test it in "
    "another cohort.",
    reference="Harrell 1996, doi 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4",
    kinds=KIND,
)
def overfitted_signature(case: Case) -> Fired | None:
    """Optimism of the concordance, or a slope wholly below 1."""
    facts = case.interaction.signature if case.interaction is not None else None
    if facts is None or facts.concordance is None or facts.concordance.value is None:
        return None
    assert facts.concordance_apparent is not None
    inside, outside = facts.concordance_apparent - 0.5, facts.concordance.value - 0.5
    extreme = facts.slope is not None and facts.slope.high is not None and facts.slope.high < 1
    if not extreme and inside - outside <= OPTIMISM_SHARE * inside:
        return None
    return Fired(
        finding=f"Its concordance is {number(facts.concordance_apparent)} in the patients it was fitted to "
        f"and {interval(facts.concordance)} in others.",
        effect=f"Calibration slope in others {interval(facts.slope)}: 1 is right, less is too extreme.",
    )
