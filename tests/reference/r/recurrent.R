# Reference for repeated events: R's survival on its own data sets bladder1, bladder2, cgd, and mets for the
# mean number of events with death (Ghosh and Lin).
# Run: Rscript recurrent.R > recurrent.json
library(survival)
library(mets)
library(jsonlite)

describe <- function(fit) {
  list(coef = unname(coef(fit)), var = unname(vcov(fit)), naive = unname(fit$naive.var), loglik = fit$loglik,
    n = fit$n, nevent = fit$nevent)
}
three <- subset(bladder2, enum <= 3)
mean_curve <- function(fit) list(time = fit$time, mean = fit$cumhaz, se = fit$std.chaz, strata = unname(fit$strata))

# mets breaks ties between patients by their order: times without ties for this comparison.
b1 <- subset(bladder1, stop > start)
b1$stop <- b1$stop + b1$id / 1e4
b1$start <- ifelse(b1$start > 0, b1$start + b1$id / 1e4, 0)
b1$recurrence <- as.numeric(b1$status == 1)
b1$death <- as.numeric(b1$status >= 2)
b1$arm <- as.numeric(b1$treatment != "placebo")
marginal <- function(data) {
  recurrence <- phreg(Surv(start, stop, recurrence) ~ cluster(id), data = data)
  death <- phreg(Surv(start, stop, death) ~ cluster(id), data = data)
  found <- recurrentMarginal(recurrence, death)
  list(time = found$times, mean = found$mu, se = found$se.mu)
}
cat(toJSON(list(
  versions = list(
    R = R.version.string, survival = as.character(packageVersion("survival")),
    mets = as.character(packageVersion("mets"))
  ),
  andersen_gill = describe(coxph(Surv(start, stop, event) ~ rx + number + size, bladder2, cluster = id)),
  pwp_total = describe(
    coxph(Surv(start, stop, event) ~ rx + number + size + strata(enum), bladder2, cluster = id)
  ),
  pwp_total_three = describe(
    coxph(Surv(start, stop, event) ~ rx + number + size + strata(enum), three, cluster = id)
  ),
  pwp_gap = describe(
    coxph(Surv(stop - start, event) ~ rx + number + size + strata(enum), bladder2, cluster = id)
  ),
  cgd = describe(coxph(Surv(tstart, tstop, status) ~ treat + age, cgd, cluster = id)),
  mean_bladder2 = mean_curve(survfit(Surv(start, stop, event) ~ rx, bladder2, id = id)),
  mean_cgd = mean_curve(survfit(Surv(tstart, tstop, status) ~ treat, cgd, id = id)),
  terminal = list(placebo = marginal(subset(b1, arm == 0)), all = marginal(b1))
), auto_unbox = TRUE, digits = NA, null = "null"))
