"""What a published study printed, to stand beside what these patients give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.case import Printed
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.evidence.store import PublishedValues


def printed_intervals(published: PublishedValues | None) -> tuple[Printed, ...]:
    """The AUC interval that the published study printed, where it printed one."""
    if published is None or published.auc is None or published.auc_low is None or published.auc_high is None:
        return ()
    return (
        Printed(
            quantity="AUC",
            value=published.auc,
            low=published.auc_low,
            high=published.auc_high,
            source=published.publication_id.replace("-", " ").capitalize(),
        ),
    )


def printed_estimates(published: PublishedValues | None) -> list[Estimate]:
    """What the published study printed for this endpoint, to stand beside what these patients give."""
    if published is None:
        return []
    source = published.publication_id.replace("-", " ").capitalize()
    method = "as-published: printed" + ("" if published.verified else ", not verified")
    rows = (
        ("auc", published.auc, published.auc_low, published.auc_high, "1"),
        ("threshold", published.threshold, None, None, published.unit or "1"),
        ("window_lower", published.window_lower, None, None, published.unit or "1"),
        ("window_upper", published.window_upper, None, None, published.unit or "1"),
    )
    return [
        Estimate(
            name=name, value=value, low=low, high=high,
            level=published.auc_level if name == "auc" else None, unit=unit, n=published.n,
            label=f"printed in {source}", method=method,
            note=f"doi {published.doi}" if published.doi else "",
        )
        for name, value, low, high, unit in rows
        if value is not None
    ]  # fmt: skip
