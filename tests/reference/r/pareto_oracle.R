# Reference values for Pareto smoothing, leave-one-out prediction and model weights by the package loo.
#
# Debian packages: r-base-core r-cran-loo r-cran-jsonlite. Run in this folder: Rscript pareto_oracle.R
library(loo)
library(jsonlite)

ratios <- matrix(NA, 400, 3)
for (j in 1:3) ratios[, j] <- qexp(((1:400 * 7919) %% 409) / 410) * c(0.3, 0.7, 1.2)[j]
smoothed <- suppressWarnings(psis(ratios, r_eff = rep(1, 3)))

# A posterior of a mean of 20 values with known variance, in equally spaced quantiles.
y <- c(-1.21, 0.28, 1.08, -2.35, 0.43, 0.51, -0.57, -0.55, -0.56, -0.89,
       -0.48, -1.00, -0.78, 0.06, 0.96, -0.11, -0.51, -0.91, -0.84, 2.42)
posterior <- mean(y) + qnorm((1:500 - 0.5) / 500)[((1:500 * 181) %% 499) + 1] / sqrt(length(y))
log_lik <- sapply(y, function(v) dnorm(v, posterior, 1, log = TRUE))
fit <- suppressWarnings(loo(log_lik, r_eff = rep(1, 20)))

lpd <- cbind(fit$pointwise[, "elpd_loo"], dnorm(y, 0.3, 1, log = TRUE), dnorm(y, 0, 1.5, log = TRUE))
set.seed(1)
weights <- pseudobma_weights(lpd, BB = TRUE, BB_n = 200000)

write_json(
  list(
    versions = list(R = R.version.string, loo = as.character(packageVersion("loo"))),
    log_ratios = t(ratios), pareto_k = smoothed$diagnostics$pareto_k,
    log_weights = t(weights(smoothed, log = TRUE, normalize = TRUE)),
    y = y, posterior = posterior,
    elpd = fit$pointwise[, "elpd_loo"], elpd_k = fit$diagnostics$pareto_k,
    elpd_total = fit$estimates["elpd_loo", "Estimate"], elpd_se = fit$estimates["elpd_loo", "SE"],
    lpd = t(lpd), pseudo_bma_weights = as.numeric(weights)
  ),
  "pareto_oracle.json", digits = 10, auto_unbox = TRUE, matrix = "rowmajor"
)
