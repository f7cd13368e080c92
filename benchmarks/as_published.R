# The as-published column of the example alone, as a paper would compute it in R: two ROC curves with
# ci.coords, two logistic regressions, Kaplan-Meier, log-rank and Cox by band. Prints the elapsed seconds.
suppressMessages({library(pROC); library(survival)})
folder <- commandArgs(trailingOnly = TRUE)[1]
started <- proc.time()[["elapsed"]]
patients <- read.csv(file.path(folder, "patients.csv"))
levels <- read.csv(file.path(folder, "measurements.csv"))
events <- read.csv(file.path(folder, "events.csv"))
trough <- tapply(levels$value, levels$patient, mean)
id <- names(trough)
toxic <- id %in% events$patient[events$event == "adverse event" & events$grade >= 3]
ended <- events[events$event %in% c("death", "last contact"), ]
time <- tapply(ended$time, ended$patient, max)[id] / 30.4375
dead <- id %in% events$patient[events$event == "death"]
progressed <- events[events$event %in% c("progression", "death") | events$response %in% "PD", ]
first <- tapply(progressed$time, progressed$patient, min)
responded <- id %in% events$patient[events$response %in% c("CR", "PR")] | !(id %in% names(first)[first <= 90])
for (outcome in list(toxic, responded)) {
  curve <- roc(outcome, as.numeric(trough), levels = c(FALSE, TRUE), direction = "<", quiet = TRUE)
  ci.auc(curve)
  ci.coords(curve, x = "best", best.policy = "random", ret = c("threshold", "sensitivity", "specificity"),
            boot.n = 2000, progress = "none")
  glm(outcome ~ log2(as.numeric(trough)), family = binomial)
}
band <- cut(as.numeric(trough), c(-Inf, 1.40, 3.45, Inf), right = FALSE)
survfit(Surv(time, dead) ~ band)
survdiff(Surv(time, dead) ~ band)
coxph(Surv(time, dead) ~ band)
cat(proc.time()[["elapsed"]] - started, "\n")
