# Reference for covariates that change: R's survival on its own data set pbcseq.
# Run: Rscript changing_covariates.R > changing_covariates.json
library(survival)
library(jsonlite)

base <- subset(pbcseq, !duplicated(id), c(id, futime, status, trt, age))
rows <- tmerge(base, base, id = id, death = event(futime, status == 2))
rows <- tmerge(rows, pbcseq, id = id, bili = tdc(day, bili), albumin = tdc(day, albumin),
  ascites = tdc(day, ascites), alk = tdc(day, alk.phos))
fit <- coxph(Surv(tstart, tstop, death) ~ log(bili) + log(albumin) + ascites + age, data = rows)
later <- tmerge(base, base, id = id, death = event(futime, status == 2))
later <- tmerge(later, subset(pbcseq, day > 0), id = id, bili = tdc(day, bili))
fit_later <- coxph(Surv(tstart, tstop, death) ~ log(bili), data = later)
cat(toJSON(list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  rows = nrow(rows), person_time = sum(rows$tstop - rows$tstart),
  sums = sapply(c("bili", "albumin", "ascites", "alk"),
    function(v) sum(rows[[v]] * (rows$tstop - rows$tstart), na.rm = TRUE)),
  missing = sapply(c("bili", "albumin", "ascites", "alk"), function(v) sum(is.na(rows[[v]]))),
  coef = unname(coef(fit)), var = unname(vcov(fit)), loglik = fit$loglik, n = fit$n, nevent = fit$nevent,
  later = list(coef = unname(coef(fit_later)), var = unname(vcov(fit_later)), n = fit_later$n,
    nevent = fit_later$nevent)
), auto_unbox = TRUE, digits = NA, null = "null"))
