# Reference for delayed entry, strata, clusters, trend and cumulative incidence: R's survival on its own data
# sets lung and mgus2. Run: Rscript curves_and_regressions.R > curves_and_regressions.json
library(survival)
library(jsonlite)

lung$event <- lung$status == 2
lung$entry <- pmax(0, floor(0.3 * lung$time) - 60)
complete <- subset(lung, !is.na(ph.ecog) & !is.na(inst))

curve <- survfit(Surv(entry, time, event) ~ sex, data = lung, conf.type = "log-log")
at <- summary(curve, times = c(60, 180, 365, 730))
describe <- function(fit) {
  zph <- cox.zph(fit, transform = "km")
  list(
    coef = unname(coef(fit)), var = unname(vcov(fit)), naive_var = unname(fit$naive.var),
    loglik = fit$loglik, concordance = unname(fit$concordance["concordance"]),
    concordance_se = unname(fit$concordance["std"]), zph = unname(zph$table)
  )
}
groups <- survdiff(Surv(time, event) ~ ph.ecog, data = complete)
score <- 0:3
trend <- sum(score * (groups$obs - groups$exp))^2 / as.vector(t(score) %*% groups$var %*% score)

mgus2$cause <- factor(with(mgus2, ifelse(pstat == 1, 1, ifelse(death == 1, 2, 0))), 0:2,
  labels = c("censored", "progression", "death"))
mgus2$etime <- with(mgus2, ifelse(pstat == 1, ptime, futime))
mgus2$entry <- pmax(0, floor(0.2 * mgus2$etime) - 12)
incidence <- function(fit) {
  found <- summary(fit, times = c(60, 120, 240))
  keep <- match(c("progression", "death"), found$states)
  list(
    strata = as.character(found$strata), pstate = found$pstate[, keep], se = found$std.err[, keep],
    low = found$lower[, keep], high = found$upper[, keep]
  )
}
cat(toJSON(list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  delayed_entry_km = list(
    strata = as.character(at$strata), time = at$time, n_risk = at$n.risk, surv = at$surv, se = at$std.err,
    low = at$lower, high = at$upper, table = unname(summary(curve)$table)
  ),
  delayed_entry_cox = describe(coxph(Surv(entry, time, event) ~ age + sex + ph.ecog, data = complete)),
  stratified_cox = describe(coxph(Surv(time, event) ~ age + ph.ecog + strata(sex), data = complete)),
  clustered_cox = describe(coxph(Surv(time, event) ~ age + sex + ph.ecog, data = complete, cluster = inst)),
  trend_ecog = trend,
  trend_ecog_cox = unname(summary(coxph(Surv(time, event) ~ ph.ecog, data = complete))$sctest["test"]),
  incidence = incidence(survfit(Surv(etime, cause) ~ sex, data = mgus2, conf.type = "log-log")),
  incidence_delayed = incidence(
    survfit(Surv(entry, etime, cause) ~ 1, data = mgus2, id = id, conf.type = "log-log"))
), auto_unbox = TRUE, digits = NA, na = "null"))
