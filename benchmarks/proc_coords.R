# Threshold, sensitivity and specificity of the best cut with a stratified bootstrap, by pROC.
# Usage: Rscript proc_coords.R COHORT.csv REPLICATES REPEATS
# Prints one line a repeat: seconds of ci.coords, seconds of the bootstrapped ci.auc, then the quantiles.
suppressWarnings(suppressMessages(library(pROC)))
arguments <- commandArgs(trailingOnly = TRUE)
cohort <- read.csv(arguments[1])
replicates <- as.integer(arguments[2])
curve <- roc(cohort$case, cohort$value, levels = c(0, 1), direction = "<", quiet = TRUE)
for (repeat_number in seq_len(as.integer(arguments[3]))) {
  set.seed(repeat_number)
  coords_seconds <- system.time(
    coords_interval <- ci.coords(curve, x = "best", best.method = "youden", best.policy = "random",
                                 ret = c("threshold", "sensitivity", "specificity"),
                                 boot.n = replicates, boot.stratified = TRUE, progress = "none")
  )[["elapsed"]]
  auc_seconds <- system.time(
    auc_interval <- ci.auc(curve, method = "bootstrap", boot.n = replicates, boot.stratified = TRUE,
                           progress = "none")
  )[["elapsed"]]
  cat(coords_seconds, auc_seconds, coords_interval$threshold[c(1, 3)], coords_interval$sensitivity[c(1, 3)],
      coords_interval$specificity[c(1, 3)], auc_interval[c(1, 3)], "\n")
}
