# Reference for time-dependent ROC areas and Brier scores: R's riskRegression on survival's own data set pbc.
# Run: Rscript time_dependent_roc.R > time_dependent_roc.json
suppressPackageStartupMessages(library(riskRegression))
library(survival)
library(prodlim)
library(jsonlite)

at <- c(365, 1095, 1825)
d <- pbc[complete.cases(pbc[, c("bili", "albumin", "age")]), ]
d$dead <- as.numeric(d$status == 2)
logistic <- function(shift) plogis(-2.5 + shift + 0.9 * log(d$bili))
risk <- cbind(logistic(-1), logistic(0), logistic(0.6))

area <- function(score) as.data.frame(score$AUC$score)[, c("times", "AUC", "se")]
brier <- function(score) subset(as.data.frame(score$Brier$score), model == "risk")[, c("times", "Brier", "se")]
null <- function(score) subset(as.data.frame(score$Brier$score), model == "Null model")[, c("times", "Brier")]
score <- function(object, formula, ...) {
  Score(list(risk = object), formula = formula, data = d, times = at, se.fit = TRUE, conf.int = TRUE, ...)
}
alone <- score(risk, Surv(time, dead) ~ 1, metrics = c("auc", "brier"))
competing <- score(risk, Hist(time, status) ~ 1, cause = 2, metrics = c("auc", "brier"))
albumin <- score(matrix(-d$albumin, nrow(d), 3), Surv(time, dead) ~ 1, metrics = "auc")
two <- Score(list(bili = d$bili, albumin = -d$albumin), formula = Surv(time, dead) ~ 1, data = d, times = at,
  metrics = "auc", se.fit = TRUE, conf.int = TRUE)
transplant <- Score(list(bili = d$bili), formula = Hist(time, status) ~ 1, cause = 1, data = d, times = at,
  metrics = "auc", se.fit = TRUE, conf.int = TRUE)
cat(toJSON(list(
  versions = list(R = R.version.string, riskRegression = as.character(packageVersion("riskRegression"))),
  n = nrow(d), risk_shift = c(-1, 0, 0.6), at = at,
  alone = list(auc = area(alone), brier = brier(alone), null = null(alone)),
  competing = list(auc = area(competing), brier = brier(competing), null = null(competing)),
  two = list(
    auc = as.data.frame(two$AUC$score)[, c("model", "times", "AUC", "se")],
    difference = as.data.frame(two$AUC$contrasts)[, c("times", "delta.AUC", "se", "p")]
  ),
  transplant = area(transplant)
), auto_unbox = TRUE, digits = NA, null = "null"))
