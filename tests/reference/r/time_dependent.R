# Reference for the time-dependent group and the landmark: R's survival on its own data set mgus2.
# Run: Rscript time_dependent.R > time_dependent.json
library(survival)
library(jsonlite)

patients <- mgus2
patients$change <- ifelse(patients$pstat == 1, patients$ptime, NA)
rows <- tmerge(patients, patients, id = id, death = event(futime, death), progressed = tdc(change))

describe <- function(fit) {
  list(
    coef = as.list(coef(fit)), var = unname(vcov(fit)), loglik = fit$loglik,
    naive_var = if (is.null(fit$naive.var)) NULL else unname(fit$naive.var), n = fit$n, nevent = fit$nevent
  )
}
late <- subset(mgus2, futime > 60)
late$progressed <- late$pstat == 1 & late$ptime <= 60
test <- survdiff(Surv(futime - 60, death) ~ progressed, data = late)

cat(toJSON(list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  rows = nrow(rows), changed_rows = sum(rows$progressed),
  time_dependent = describe(coxph(Surv(tstart, tstop, death) ~ progressed, data = rows)),
  time_dependent_robust = describe(coxph(Surv(tstart, tstop, death) ~ progressed, data = rows, cluster = id)),
  time_dependent_age = describe(coxph(Surv(tstart, tstop, death) ~ progressed + age, data = rows)),
  immortal = describe(coxph(Surv(futime, death) ~ pstat, data = mgus2)),
  landmark_60 = list(
    n = nrow(late), left_out_death = sum(mgus2$futime <= 60 & mgus2$death == 1),
    left_out_censored = sum(mgus2$futime <= 60 & mgus2$death == 0),
    chisq = test$chisq, observed = test$obs, expected = test$exp
  )
), auto_unbox = TRUE, digits = NA, null = "null"))
