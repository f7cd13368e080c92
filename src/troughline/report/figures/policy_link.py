"""Whether a comparison of levels shows the link with toxicity that is true, and stated against observed
P(in).
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.policy_parts import LEFT, colours, name_beside
from troughline.report.figures.style import Json
from troughline.report.numbers import micro, number, percent

_ROW, _WIDTH = 0.25, 2.6


def sketch_link(results: Json) -> Sketch:
    """The area under the curve of level against toxicity, before and after doses were cut."""
    links: list[Json] = results["links"]
    whens = list(dict.fromkeys(one["when"] for one in links))
    height = _ROW * (len(links) + 1.3 * len(whens))
    sheet = style.sheet(height + 0.85)
    axes = style.panel(sheet, left=LEFT, top=0.15, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    ends = [float(one[k]) for one in links for k in ("auc_low", "auc_high")]
    axes.set_xlim(min(*ends, 0.4) - 0.03, max(*ends, 0.6) + 0.03)
    axes.set_ylim(height / _ROW, 0)
    axes.axvline(0.5, color=style.PUBLISHED, linewidth=1.0, zorder=0)
    words = {
        "first visit": "level of the first visit, toxicity afterwards",
        "last visit": "level of the last visit, toxicity before it",
    }
    y, listed = 0.0, list[str]()
    for when in whens:
        axes.annotate(
            words[when], xy=(0, y + 0.8), xycoords=("axes fraction", "data"), xytext=(-LEFT * 72 + 10, 0),
            textcoords="offset points", va="center", fontsize=style.BASE, fontweight="bold", color=style.INK,
        )  # fmt: skip
        y += 1.3
        for one in (o for o in links if o["when"] == when):
            value, low, high = (float(one[k]) for k in ("auc", "auc_low", "auc_high"))
            colour = style.TOXICITY if low > 0.5 else style.GUARDED if high < 0.5 else style.MUTED
            axes.plot([low, high], [y + 0.5] * 2, color=colour, linewidth=1.6)
            axes.plot([value], [y + 0.5], "o", color=colour, markersize=5)
            name_beside(axes, y + 0.5, micro(one["policy"]))
            text = (
                f"{number(one['median_toxic'])} against {number(one['median_other'])} mg/L, "
                f"found in {percent(one['found'])}"
            )
            axes.annotate(
                text, xy=(1, y + 0.5), xycoords=("axes fraction", "data"), xytext=(8, 0),
                textcoords="offset points", va="center", fontsize=style.SMALL,
            )  # fmt: skip
            listed.append(f"{one['policy']}, {when}: area {value:.2f} ({low:.2f} to {high:.2f}), {text}")
            y += 1.0
    axes.set_xlabel("probability that the patient with toxicity has the higher level")
    size = links[0]["size"]
    return Sketch(
        sheet,
        "The link that is true, as a study of levels sees it",
        "Right of 0.5 patients with severe toxicity have the higher levels, left of it the lower. Beside "
        "it the "
        f"medians with and without toxicity, and the share of virtual studies of {size} patients that "
        f"find the "
        "link (p < 0.05).",
        "Dots with intervals. " + "; ".join(listed) + ".",
    )


def sketch_calibration(results: Json) -> Sketch:
    """Stated P(in) at a decision against the share that was inside at the next visit."""
    policies = [p for p in results["policies"] if p["calibration"]]
    sheet = style.sheet(3.2)
    axes = style.panel(sheet, left=0.75, top=0.15, width=2.5, height=2.5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.plot([0, 1], [0, 1], color=style.PUBLISHED, linewidth=1.0, zorder=0)
    listed: list[str] = []
    shades = colours(results["policies"])
    rank = 0
    for policy, colour in zip(results["policies"], shades, strict=True):
        if policy not in policies:
            continue
        for b in policy["calibration"]:
            o = b["observed"]
            axes.plot([b["stated"]] * 2, [o["low"], o["high"]], color=colour, linewidth=1.4)
            axes.plot([b["stated"]], [o["value"]], "o", color=colour, markersize=4.5)
            listed.append(f"{policy['id']}: stated {b['stated']:.2f}, observed {o['value']:.2f} of {b['n']}")
        axes.annotate(
            micro(policy["id"]), xy=(1, 1), xycoords="axes fraction", xytext=(14, -8 - 13 * rank),
            textcoords="offset points", fontsize=style.BASE, fontweight="bold",
            color=style.text_color(colour),
        )  # fmt: skip
        rank += 1
    ticks = [0, 0.25, 0.5, 0.75, 1.0]
    axes.set_xticks(ticks, [f"{t:.0%}" for t in ticks])
    axes.set_yticks(ticks, [f"{t:.0%}" for t in ticks])
    axes.set_xlabel("P(in) stated at the decision")
    axes.set_ylabel("inside at the next visit")
    return Sketch(
        sheet,
        "Whether the stated probabilities are right",
        "Decisions in five groups of equal size by the P(in) stated for the regimen taken; on the line the "
        "probability is what happens. Patients whose dose toxicity changed in between are left out.",
        "Dots with intervals. " + "; ".join(listed) + ".",
    )
