# Reference for the spline Cox regression: R's survival on its own data set pbc, with the restricted cubic
# basis written out here from its definition. Run: Rscript spline.R > spline.json
library(survival)
library(jsonlite)

positive <- function(u) ifelse(u > 0, u, 0)
basis <- function(x, knots) {
  k <- length(knots)
  span <- knots[k] - knots[k - 1]
  out <- matrix(x, ncol = 1)
  for (j in seq_len(k - 2)) {
    term <- positive(x - knots[j])^3 -
      positive(x - knots[k - 1])^3 * (knots[k] - knots[j]) / span +
      positive(x - knots[k])^3 * (knots[k - 1] - knots[j]) / span
    out <- cbind(out, term / (knots[k] - knots[1])^2)
  }
  unname(out)
}
quantiles <- list("3" = c(.1, .5, .9), "4" = c(.05, .35, .65, .95), "5" = c(.05, .275, .5, .725, .95))
asked <- c(0.3, 0.8, 1.4, 3.4, 10, 28)
reference <- 1.4

one <- function(count, adjusted) {
  x <- log(pbc$bili)
  knots <- quantile(x, quantiles[[as.character(count)]], names = FALSE)
  outcome <- Surv(pbc$time, pbc$status == 2)
  curve <- basis(x, knots)
  if (adjusted) {
    full <- coxph(outcome ~ curve + pbc$age)
    line <- coxph(outcome ~ x + pbc$age)
    none <- coxph(outcome ~ pbc$age)$loglik[2]
  } else {
    full <- coxph(outcome ~ curve)
    line <- coxph(outcome ~ x)
    none <- full$loglik[1]
  }
  m <- count - 1
  difference <- sweep(basis(log(asked), knots), 2, basis(log(reference), knots))
  beta <- unname(coef(full))[seq_len(m)]
  variance <- unname(vcov(full))[seq_len(m), seq_len(m)]
  list(
    count = count, adjusted = adjusted, knots = exp(knots), coef = unname(coef(full)),
    log_hr = as.vector(difference %*% beta),
    se = sqrt(diag(difference %*% variance %*% t(difference))),
    overall = 2 * (full$loglik[2] - none), nonlinearity = 2 * (full$loglik[2] - line$loglik[2]),
    p_overall = pchisq(2 * (full$loglik[2] - none), m, lower.tail = FALSE),
    p_nonlinearity = pchisq(2 * (full$loglik[2] - line$loglik[2]), m - 1, lower.tail = FALSE)
  )
}
cat(toJSON(list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  exposure = asked, reference = reference,
  fits = list(one(3, FALSE), one(4, FALSE), one(5, FALSE), one(4, TRUE))
), auto_unbox = TRUE, digits = NA))
