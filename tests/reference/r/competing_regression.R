# Reference for Fine–Gray regression and Gray's test: R's cmprsk (crr, cuminc) and survival (finegray) on
# survival's own data sets mgus2 (months, many ties) and pbc.
# Run: Rscript competing_regression.R > competing_regression.json
library(survival)
library(cmprsk)
library(jsonlite)

patients <- mgus2[complete.cases(mgus2[, c("age", "sex", "mspike")]), ]
time <- with(patients, ifelse(pstat == 1, ptime, futime))
cause <- with(patients, ifelse(pstat == 1, 1, 2 * death))
x <- with(patients, cbind(age = age, male = as.numeric(sex == "M"), mspike = mspike))
decade <- cut(patients$dxyr, c(0, 1979, 1989, 2000), labels = FALSE)

regression <- function(fit) {
  list(
    coef = unname(fit$coef), var = unname(fit$var), inverse = unname(fit$inf), loglik = fit$loglik,
    loglik_null = fit$loglik.null, time = fit$uftime, jump = fit$bfitj
  )
}
plain <- crr(time, cause, x)
by_sex <- crr(time, cause, x, cengroup = patients$sex)
death <- crr(time, cause, x, failcode = 2)
profile <- rbind(c(60, 0, 0.5), c(80, 1, 2))
predicted <- predict(plain, profile)
at <- c(60, 120, 240)
read <- function(m, at) sapply(at, function(t) m[max(which(m[, 1] <= t)), -1])

# finegray counts a patient whose event ties with a censoring out of the censoring risk set and crr does not:
# times without ties for this comparison.
data <- data.frame(time = time + seq_along(time) / 1e4, cause = factor(cause, 0:2, c("censor", "pcm", "death")), x, decade = decade)
data$id <- seq_len(nrow(data))
expanded <- finegray(Surv(time, cause) ~ . + strata(decade), data = data, etype = "pcm")
stratified <- coxph(
  Surv(fgstart, fgstop, fgstatus) ~ age + male + mspike + strata(decade), data = expanded, weights = fgwt,
  ties = "breslow", id = id
)

tests <- function(m) unname(m[, c("stat", "pv", "df")])
groups <- cut(patients$age, c(0, 60, 70, 80, 120), labels = FALSE)
cat(toJSON(list(
  versions = list(
    R = R.version.string, survival = as.character(packageVersion("survival")),
    cmprsk = as.character(packageVersion("cmprsk"))
  ),
  plain = regression(plain), by_sex = regression(by_sex), death = regression(death),
  profile = profile, at = at, predicted = read(predicted, at),
  stratified = list(coef = unname(coef(stratified)), loglik = stratified$loglik),
  gray = list(
    ages = tests(cuminc(time, cause, groups)$Tests),
    ages_by_decade = tests(cuminc(time, cause, groups, decade)$Tests),
    ages_weighted = tests(cuminc(time, cause, groups, rho = 1)$Tests),
    pbc_stage = with(pbc[!is.na(pbc$stage), ], tests(cuminc(time, status, stage)$Tests))
  )
), auto_unbox = TRUE, digits = NA, null = "null"))
