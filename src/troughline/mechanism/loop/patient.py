"""One virtual patient from the first dose to death or the horizon: treatment, tumour, visits, events.

Time runs in steps of one to several days. In a step the exposure is the mean over it of an exact twice-daily
curve, the slow system takes one exponential step, and each hazard is integrated by the trapezoid rule. An
event happens when its cumulative hazard passes the patient's own exponential draw, so that the same patient
in two arms has the same luck.

A run may pause: on a given day, and where doses are prescribed slot by slot also at a toxicity that limits
the dose. What it needs to go on stays in `work` and `out`; a paused run gives the numbers of one that did not
pause but ended a step on that day.
"""

from __future__ import annotations

import math
from typing import Any

from troughline.mechanism.loop.contract import (
    DRIVEN,
    N_DRIVEN,
    N_OUT,
    N_PERSONAL,
    N_PK,
    N_PK_SLOTS,
    O_DEATH_HAZARD,
    O_DROPOUT_HAZARD,
    O_LESION_HAZARD_NOW,
    O_LIMITING_HAZARD,
    O_LIVER_SCORE,
    O_SEVERE_HAZARD,
    O_SUM_OF_DIAMETERS_SEEN,
    O_VIABLE_DIAMETERS,
    O_WITHDRAWAL_HAZARD,
    N,
    device,
    observe,
    personal_values,
    start,
    watch,
)
from troughline.mechanism.loop.exponential import in_parts, overshot, step
from troughline.mechanism.loop.pharmacokinetics import pk_now, pk_prepare, pk_slot
from troughline.mechanism.loop.response import NOT_EVALUABLE, PROGRESSIVE, better, read_image

# loop

# Places in `rules`.
RULE_HORIZON, RULE_HOLD, RULE_STOP_SHARE, RULE_STOP_PROGRESSED, RULE_NEXT_LINE_AFTER = 0, 1, 2, 3, 4
RULE_LIVER_STOP, RULE_STEP, RULE_ERROR, RULE_VIABLE_ERROR = 5, 6, 7, 8
RULE_SHRINK, RULE_GROW, RULE_LEAST, RULE_GONE = 9, 10, 11, 12
# Whether a paused run goes on, the day on which it pauses, and whether the first line's doses are prescribed.
RULE_RESUME, RULE_UNTIL, RULE_PRESCRIBED = 13, 14, 15
# The largest sum of diameters that is followed.
RULE_MOST = 16
N_RULES = 17
# Columns of `plan` for a line and a dose level: dose, interval in slots of 12 h, then the second drug.
PLAN_DOSE, PLAN_SLOTS, PLAN_SECOND = 0, 1, 2
# Columns of `uniform`.
U_DEATH, U_LESION, U_SEVERE, U_WITHDRAWAL, U_DROPOUT, U_STOP, U_LIMITING = 0, 1, 2, 3, 4, 5, 6
MOST_LIMITING = 7
N_UNIFORM = 20
# Columns of `out`.
OUT_DEATH, OUT_DIED, OUT_PROGRESSION, OUT_PROGRESSED, OUT_REASON = 0, 1, 2, 3, 4
OUT_VIABLE_PROGRESSION, OUT_VIABLE_PROGRESSED, OUT_BEST, OUT_VIABLE_BEST = 5, 6, 7, 8
OUT_STOP, OUT_REDUCTIONS, OUT_DOSE, OUT_SEVERE, OUT_LIMITING, OUT_DROPOUT = 9, 10, 11, 12, 13, 14
OUT_NEXT_LINE, OUT_LESION, OUT_STATUS, OUT_FIRST, OUT_MEAN_LEVEL, OUT_STOP_WHY = 15, 16, 17, 18, 19, 20
OUT_TRUE_PROGRESSION, OUT_NEXT_REDUCTIONS = 21, 22
OUT_STATES = 23
# What a paused run goes on from, in the patient's row of `work`. `AT_LAST`: the next toxicity that limits the
# dose ends the treatment; `AT_PAUSED`: such a toxicity is why it paused.
AT_LINE, AT_LEVEL, AT_TREATED, AT_SEEN, AT_VIABLE, AT_IMAGED, AT_HOLD, AT_NEXT_LINE = 0, 1, 2, 3, 4, 5, 6, 7
AT_DAY, AT_CHANGED, AT_SLOT, AT_VISIT, AT_SAMPLE, AT_EVENT, AT_LIMITS = 8, 9, 10, 11, 12, 13, 14
AT_DEATH, AT_LESION, AT_LIMITING, AT_SEVERE, AT_WITHDRAWAL, AT_DROPOUT, AT_DUE = 15, 16, 17, 18, 19, 20, 21
AT_STALE, AT_SPEED, AT_START, AT_START_VIABLE, AT_NADIR, AT_NADIR_VIABLE = 22, 23, 24, 25, 26, 27
AT_TRUE_NADIR, AT_AREA, AT_AREA_DAYS, AT_ENDED, AT_PAUSED, AT_LAST = 28, 29, 30, 31, 32, 33
AT_SESSION = 34
N_AT = 35
# Values of OUT_STOP_WHY.
ON_TREATMENT, TOXIC, PROGRESSED, WITHDRAWN, LIVER = 0, 1, 2, 3, 4
NEVER = 1e9
MOST_CHANGE = 0.3  # of a state in one step, relative to its size and 0.2
SESSION_DAYS = 10.0  # after a session of local therapy, parts of a step follow what it does


@device
def threshold(u: Any) -> Any:
    """The cumulative hazard at which an event happens, from a uniform draw."""
    return -math.log(1.0 - u)


@device
def day_of(before: Any, after: Any, wanted: Any, day: Any, days: Any) -> Any:
    """When inside a step a cumulative hazard passed the draw, linearly."""
    if after <= before:
        return day + days
    return day + days * (wanted - before) / (after - before)


@device
def lowers(plan: Any, line: Any, level: Any) -> Any:
    """Whether a level of a line gives less a day of sorafenib or of a second drug than the one before."""
    less = (
        plan[line, level, PLAN_DOSE] * plan[line, level - 1, PLAN_SLOTS]
        < plan[line, level - 1, PLAN_DOSE] * plan[line, level, PLAN_SLOTS]
    )
    for k in range(PLAN_SECOND, plan.shape[2]):
        less = less or plan[line, level, k] < plan[line, level - 1, k]
    return less


@device
def one_patient(
    i: Any,
    theta: Any,
    pk_theta: Any,
    cov: Any,
    pk_cov: Any,
    eta: Any,
    pk_eta: Any,
    uniform: Any,
    noise: Any,
    plan: Any,
    plan_size: Any,
    rules: Any,
    events: Any,
    visits: Any,
    samples: Any,
    last_day: Any,
    prescribed: Any,
    spans: Any,
    work: Any,
    out: Any,
    seen: Any,
    sampled: Any,
    morning: Any,
) -> None:
    """Patient i. Shapes and meaning of the arguments: `troughline.mechanism.runner`."""
    row = work[i]
    at = 0
    personal = row[at : at + N_PERSONAL]
    at += N_PERSONAL
    slots = row[at : at + N_PK_SLOTS]
    at += N_PK_SLOTS
    x = row[at : at + N]
    at += N
    f = row[at : at + N]
    at += N
    d = row[at : at + N]
    at += N
    y = row[at : at + N]
    at += N
    g = row[at : at + N]
    at += N
    unused = row[at : at + N]
    at += N
    saved = row[at : at + N]
    at += N
    space = row[at : at + 7 * N_PK * N_PK]
    at += 7 * N_PK * N_PK
    z = row[at : at + N_PK]
    at += N_PK
    next_z = row[at : at + N_PK]
    at += N_PK
    now = row[at : at + N_OUT]
    at += N_OUT
    kept = row[at : at + N_AT]
    c = cov[i]
    e = eta[i]
    u = uniform[i]
    result = out[i]

    horizon = min(rules[RULE_HORIZON], last_day[i])
    until_day = min(horizon, rules[RULE_UNTIL])
    prescribes = rules[RULE_PRESCRIBED] > 0.5
    resumes = rules[RULE_RESUME] > 0.5
    if resumes and (kept[AT_ENDED] > 0.5 or kept[AT_DAY] >= until_day):
        return

    pk_prepare(pk_theta, pk_cov[i], pk_eta[i], slots, space)
    if not resumes:
        for k in range(N_DRIVEN):
            c[DRIVEN[k]] = 0.0
        personal_values(theta, c, e, personal)
        start(theta, c, e, personal, x)
        for k in range(N_PK):
            z[k] = 0.0
        for k in range(result.shape[0]):
            result[k] = 0.0
        for k in range(seen.shape[1]):
            seen[i, k] = math.nan
        for k in range(samples.shape[0]):
            for j in range(sampled.shape[2]):
                sampled[i, k, j] = math.nan
        result[OUT_DEATH] = horizon
        result[OUT_PROGRESSION] = result[OUT_VIABLE_PROGRESSION] = 0.0
        result[OUT_STOP] = result[OUT_SEVERE] = result[OUT_LIMITING] = result[OUT_DROPOUT] = NEVER
        result[OUT_NEXT_LINE] = result[OUT_LESION] = NEVER
        result[OUT_TRUE_PROGRESSION] = NEVER
        result[OUT_BEST] = result[OUT_VIABLE_BEST] = result[OUT_FIRST] = NOT_EVALUABLE
        watch(theta, c, e, personal, x, now)

    line, level = 0, 0
    treated = plan_size[0] > 0
    progressed_seen = False
    progressed_viable = False
    imaged = True
    hold_until = 0.0
    next_line_day = NEVER
    day, changed, slot = 0.0, 0.0, 0
    visit, sample, event = 0, 0, 0
    limits = 0
    h_death = h_lesion = h_limiting = h_severe = h_withdrawal = h_dropout = 0.0
    e_death, e_lesion = threshold(u[U_DEATH]), threshold(u[U_LESION])
    e_severe, e_withdrawal = threshold(u[U_SEVERE]), threshold(u[U_WITHDRAWAL])
    e_dropout, e_limiting = threshold(u[U_DROPOUT]), threshold(u[U_LIMITING])
    stale = False
    speed = 0.0
    session = -NEVER
    start_mm = now[O_SUM_OF_DIAMETERS_SEEN] * math.exp(rules[RULE_ERROR] * noise[i, 0])
    start_viable = now[O_VIABLE_DIAMETERS] * math.exp(rules[RULE_VIABLE_ERROR] * noise[i, 1])
    nadir_mm, nadir_viable, true_nadir = start_mm, start_viable, now[O_SUM_OF_DIAMETERS_SEEN]
    level_area, level_days = 0.0, 0.0
    paused = False
    if resumes:
        line, level = int(kept[AT_LINE]), int(kept[AT_LEVEL])
        treated = kept[AT_TREATED] > 0.5
        progressed_seen, progressed_viable = kept[AT_SEEN] > 0.5, kept[AT_VIABLE] > 0.5
        imaged = kept[AT_IMAGED] > 0.5
        hold_until, next_line_day = kept[AT_HOLD], kept[AT_NEXT_LINE]
        day, changed, slot = kept[AT_DAY], kept[AT_CHANGED], int(kept[AT_SLOT])
        visit, sample, event = int(kept[AT_VISIT]), int(kept[AT_SAMPLE]), int(kept[AT_EVENT])
        limits = int(kept[AT_LIMITS])
        h_death, h_lesion, h_limiting = kept[AT_DEATH], kept[AT_LESION], kept[AT_LIMITING]
        h_severe, h_withdrawal, h_dropout = kept[AT_SEVERE], kept[AT_WITHDRAWAL], kept[AT_DROPOUT]
        e_limiting = kept[AT_DUE]
        stale, speed, session = kept[AT_STALE] > 0.5, kept[AT_SPEED], kept[AT_SESSION]
        start_mm, start_viable = kept[AT_START], kept[AT_START_VIABLE]
        nadir_mm, nadir_viable = kept[AT_NADIR], kept[AT_NADIR_VIABLE]
        true_nadir = kept[AT_TRUE_NADIR]
        level_area, level_days = kept[AT_AREA], kept[AT_AREA_DAYS]

    while day < until_day and not paused:
        # Sessions of local therapy, and samples, at the start of the step.
        while event < events.shape[0] and events[event, 0] <= day:
            if events[event, 0] >= day - 0.5:
                x[int(events[event, 1])] += events[event, 2]
                changed = session = day
                stale = True
            event += 1
        if sample < samples.shape[0] and samples[sample] <= day:
            observe(theta, c, e, personal, x, now)
            for k in range(N_OUT):
                sampled[i, sample, k] = now[k]
            sampled[i, sample, N_OUT] = pk_now(slots, z)
            if sampled.shape[2] > N_OUT + 1:
                for k in range(N):
                    sampled[i, sample, N_OUT + 1 + k] = x[k]
            sample += 1

        # How far to go.
        since = day - changed
        days = 1.0 if since < 4.0 else (2.0 if since < 12.0 else (4.0 if since < 30.0 else rules[RULE_STEP]))
        days = min(days, rules[RULE_STEP])
        if speed * 24.0 * days > MOST_CHANGE:
            days = max(0.5, math.floor(2.0 * MOST_CHANGE / (24.0 * speed)) / 2.0)
        stop = until_day
        if visit < visits.shape[0] and imaged:
            stop = min(stop, visits[visit])
        if sample < samples.shape[0]:
            stop = min(stop, samples[sample])
        if event < events.shape[0]:
            stop = min(stop, events[event, 0])
        if hold_until > day:
            stop = min(stop, hold_until)
        if next_line_day > day:
            stop = min(stop, next_line_day)
        days = min(days, max(stop - day, 0.5))

        # Exposure over the step, and the second drug.
        given = treated and day >= hold_until
        dose, every = 0.0, 1
        if given:
            dose = plan[line, level, PLAN_DOSE]
            every = int(plan[line, level, PLAN_SLOTS])
        n_slots = int(2.0 * days + 0.5)
        first_slot = int(2.0 * day + 0.5)
        span = 12.0 * every
        area = 0.0
        for j in range(n_slots):
            amount = dose if (given and slot % every == 0) else 0.0
            if prescribes and line == 0:
                amount = prescribed[i, first_slot + j] if given else 0.0
                span = spans[i, (first_slot + j) // 2]
            area += pk_slot(
                pk_theta,
                pk_cov[i],
                pk_eta[i],
                slots,
                space,
                amount,
                span,
                24.0 * day + 12.0 * j,
                z,
                next_z,
            )
            result[OUT_DOSE] += amount
            slot += 1
            if prescribes and (first_slot + j) % 2 == 1:
                morning[i, (first_slot + j + 1) // 2] = pk_now(slots, z)
        hours = 12.0 * n_slots
        days = hours / 24.0
        c[DRIVEN[0]] = area / hours
        if given:
            level_area += area / 24.0
            level_days += days
        for k in range(2, N_DRIVEN):
            c[DRIVEN[k]] = plan[line, level, PLAN_SECOND + k - 2] if given else 0.0

        # One step, with the hazards at both its ends.
        if stale:
            watch(theta, c, e, personal, x, now)
            stale = False
        a_death, a_lesion, a_limiting = now[O_DEATH_HAZARD], now[O_LESION_HAZARD_NOW], now[O_LIMITING_HAZARD]
        a_severe, a_withdrawal = now[O_SEVERE_HAZARD], now[O_WITHDRAWAL_HAZARD]
        a_dropout = now[O_DROPOUT_HAZARD]
        for k in range(N):
            saved[k] = x[k]
        if day - session < SESSION_DAYS:
            speed = in_parts(
                theta, c, e, personal, x, hours, 0.0 if day == session else speed, f, d, y, g, unused
            )
        else:
            speed = step(theta, c, e, personal, x, hours, f, d, y, g, unused)
        watch(theta, c, e, personal, x, now)
        if overshot(x, saved, now[O_DEATH_HAZARD], now[O_SUM_OF_DIAMETERS_SEEN]):
            # Too long a step for a tumour as fast as this: the same days again by the hour.
            for k in range(N):
                x[k] = saved[k]
            for _ in range(12 * n_slots):
                speed = step(theta, c, e, personal, x, 1.0, f, d, y, g, unused)
                watch(theta, c, e, personal, x, now)
                if now[O_SUM_OF_DIAMETERS_SEEN] > rules[RULE_MOST]:
                    break
        if math.isnan(now[O_DEATH_HAZARD]) or not math.isfinite(now[O_SUM_OF_DIAMETERS_SEEN]):
            result[OUT_STATUS] = 2.0
            break
        before = h_death
        h_death += 0.5 * hours * (a_death + now[O_DEATH_HAZARD])
        if h_death >= e_death:
            result[OUT_DEATH] = day_of(before, h_death, e_death, day, days)
            result[OUT_DIED] = 1.0
        elif now[O_SUM_OF_DIAMETERS_SEEN] > rules[RULE_MOST]:
            result[OUT_DEATH] = day + days
            result[OUT_DIED] = 1.0
        alive = result[OUT_DIED] < 0.5
        until = result[OUT_DEATH] if not alive else day + days
        before = h_lesion
        h_lesion += 0.5 * hours * (a_lesion + now[O_LESION_HAZARD_NOW])
        if result[OUT_LESION] >= NEVER and h_lesion >= e_lesion:
            result[OUT_LESION] = day_of(before, h_lesion, e_lesion, day, days)
            if result[OUT_LESION] > until:
                result[OUT_LESION] = NEVER
        before = h_severe
        if treated:
            h_severe += 0.5 * hours * (a_severe + now[O_SEVERE_HAZARD])
        if result[OUT_SEVERE] >= NEVER and h_severe >= e_severe:
            when = day_of(before, h_severe, e_severe, day, days)
            if when <= until:
                result[OUT_SEVERE] = when
        before = h_dropout
        h_dropout += 0.5 * hours * (a_dropout + now[O_DROPOUT_HAZARD])
        if result[OUT_DROPOUT] >= NEVER and h_dropout >= e_dropout:
            when = day_of(before, h_dropout, e_dropout, day, days)
            if when <= until:
                result[OUT_DROPOUT] = when
                imaged = False
        size = now[O_SUM_OF_DIAMETERS_SEEN]
        true_nadir = min(true_nadir, size)
        if result[OUT_TRUE_PROGRESSION] >= NEVER and size >= (1.0 + rules[RULE_GROW]) * true_nadir:
            result[OUT_TRUE_PROGRESSION] = day + days

        # What toxicity, the liver and the patient's will do to the treatment, from the end of the step on: to
        # nobody who has died in it, and to nobody whom the data leave with it.
        if treated and alive and day + days < horizon:
            why = ON_TREATMENT
            before = h_withdrawal
            h_withdrawal += 0.5 * hours * (a_withdrawal + now[O_WITHDRAWAL_HAZARD])
            if h_withdrawal >= e_withdrawal:
                why = WITHDRAWN
            if now[O_LIVER_SCORE] > rules[RULE_LIVER_STOP]:
                why = LIVER
            if given:
                h_limiting += 0.5 * hours * (a_limiting + now[O_LIMITING_HAZARD])
            if why == ON_TREATMENT and limits < MOST_LIMITING and h_limiting >= e_limiting:
                if result[OUT_LIMITING] >= NEVER:
                    result[OUT_LIMITING] = day + days
                stops = u[U_LIMITING + 2 * limits + 1] < rules[RULE_STOP_SHARE]
                limits += 1
                h_limiting = 0.0
                e_limiting = threshold(u[U_LIMITING + 2 * limits]) if limits < MOST_LIMITING else NEVER
                last = kept[AT_LAST] > 0.5 if (prescribes and line == 0) else level + 1 >= plan_size[line]
                if stops or last:
                    why = TOXIC
                elif prescribes and line == 0:
                    paused = True
                    hold_until = math.ceil(day + days) + rules[RULE_HOLD]
                    changed = day + days
                else:
                    level += 1
                    slot = 0
                    if lowers(plan, line, level):
                        result[OUT_REDUCTIONS if line == 0 else OUT_NEXT_REDUCTIONS] += 1.0
                    hold_until = day + days + rules[RULE_HOLD]
                    changed = day + days
            if why != ON_TREATMENT:
                treated = False
                changed = day + days
                if line == 0:
                    result[OUT_STOP] = min(day + days, until)
                    result[OUT_STOP_WHY] = float(why)
        day += days
        if not alive:
            break
        if next_line_day <= day:
            next_line_day = NEVER
            line, level, slot, treated, changed = 1, 0, 0, True, day
            hold_until = day
            h_limiting = 0.0
            result[OUT_NEXT_LINE] = day

        # A visit.
        if imaged and visit < visits.shape[0] and day >= visits[visit] - 0.25:
            seen_mm = size * math.exp(rules[RULE_ERROR] * noise[i, 2 * (visit + 1)])
            viable_mm = now[O_VIABLE_DIAMETERS] * math.exp(
                rules[RULE_VIABLE_ERROR] * noise[i, 2 * (visit + 1) + 1]
            )
            seen[i, visit] = seen_mm
            lesion = result[OUT_LESION] <= day
            if not progressed_viable:
                response = read_image(
                    viable_mm, start_viable, nadir_viable, lesion, rules[RULE_SHRINK], rules[RULE_GROW],
                    rules[RULE_LEAST], rules[RULE_GONE],
                )  # fmt: skip
                nadir_viable = min(nadir_viable, viable_mm)
                result[OUT_VIABLE_BEST] = better(int(result[OUT_VIABLE_BEST]), response)
                result[OUT_VIABLE_PROGRESSION] = day
                if response == PROGRESSIVE:
                    progressed_viable = True
                    result[OUT_VIABLE_PROGRESSED] = 1.0
            if not progressed_seen:
                response = read_image(
                    seen_mm, start_mm, nadir_mm, lesion, rules[RULE_SHRINK], rules[RULE_GROW],
                    rules[RULE_LEAST], rules[RULE_GONE],
                )  # fmt: skip
                nadir_mm = min(nadir_mm, seen_mm)
                if visit == 0:
                    result[OUT_FIRST] = response
                result[OUT_BEST] = better(int(result[OUT_BEST]), response)
                result[OUT_PROGRESSION] = day
                if response == PROGRESSIVE:
                    progressed_seen = True
                    result[OUT_PROGRESSED] = 1.0
                    result[OUT_REASON] = 2.0 if lesion else 1.0
                    c[DRIVEN[1]] = 1.0
                    stale = True
                    for k in range(N):
                        result[OUT_STATES + k] = x[k]
                    if treated and u[U_STOP] < rules[RULE_STOP_PROGRESSED]:
                        treated = False
                        changed = day
                        result[OUT_STOP] = day
                        result[OUT_STOP_WHY] = float(PROGRESSED)
                        if plan_size.shape[0] > 1 and plan_size[1] > 0:
                            next_line_day = day + rules[RULE_NEXT_LINE_AFTER]
            visit += 1

    ended = day >= horizon or result[OUT_DIED] > 0.5 or result[OUT_STATUS] > 0.0
    if ended:
        if result[OUT_STOP] >= NEVER and plan_size[0] > 0:
            result[OUT_STOP] = min(day, result[OUT_DEATH])
        if level_days > 0.0:
            result[OUT_MEAN_LEVEL] = level_area / level_days
    kept[AT_LINE], kept[AT_LEVEL] = float(line), float(level)
    kept[AT_TREATED] = 1.0 if treated else 0.0
    kept[AT_SEEN], kept[AT_VIABLE] = 1.0 if progressed_seen else 0.0, 1.0 if progressed_viable else 0.0
    kept[AT_IMAGED] = 1.0 if imaged else 0.0
    kept[AT_HOLD], kept[AT_NEXT_LINE] = hold_until, next_line_day
    kept[AT_DAY], kept[AT_CHANGED], kept[AT_SLOT] = day, changed, float(slot)
    kept[AT_VISIT], kept[AT_SAMPLE], kept[AT_EVENT] = float(visit), float(sample), float(event)
    kept[AT_LIMITS] = float(limits)
    kept[AT_DEATH], kept[AT_LESION], kept[AT_LIMITING] = h_death, h_lesion, h_limiting
    kept[AT_SEVERE], kept[AT_WITHDRAWAL], kept[AT_DROPOUT] = h_severe, h_withdrawal, h_dropout
    kept[AT_DUE] = e_limiting
    kept[AT_STALE], kept[AT_SPEED], kept[AT_SESSION] = 1.0 if stale else 0.0, speed, session
    kept[AT_START], kept[AT_START_VIABLE] = start_mm, start_viable
    kept[AT_NADIR], kept[AT_NADIR_VIABLE] = nadir_mm, nadir_viable
    kept[AT_TRUE_NADIR] = true_nadir
    kept[AT_AREA], kept[AT_AREA_DAYS] = level_area, level_days
    kept[AT_ENDED] = 1.0 if ended else 0.0
    kept[AT_PAUSED] = 1.0 if paused else 0.0
