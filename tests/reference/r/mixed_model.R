# Reference for the linear mixed model: R's nlme on survival's own data set pbcseq.
# Run: Rscript mixed_model.R > mixed_model.json
library(survival)
library(nlme)
library(jsonlite)

d <- pbcseq
d$year <- d$day / 365.25
describe <- function(fit) {
  D <- as.matrix(getVarCov(fit)); attributes(D) <- list(dim = dim(D))
  list(fixed = unname(fixef(fit)), D = D, sigma = fit$sigma, loglik = as.numeric(logLik(fit)),
    var = unname(fit$varFix), random = unname(as.matrix(ranef(fit))[1:5, ]))
}
control <- lmeControl(msTol = 1e-12, tolerance = 1e-12, msMaxIter = 500, maxIter = 500)
fit <- lme(log(bili) ~ year, random = ~ year | id, data = d, method = "ML", control = control)
adjusted <- lme(log(bili) ~ year + I(age / 10), random = ~ year | id, data = d, method = "ML", control = control)
cat(toJSON(list(
  versions = list(R = R.version.string, nlme = as.character(packageVersion("nlme"))),
  plain = describe(fit), adjusted = describe(adjusted)
), auto_unbox = TRUE, digits = NA, null = "null"))
