# Reference values for logistic regression: maximum likelihood by glm, mean bias reduction (Firth's
# estimator) by brglm2, and profile penalised likelihood intervals and tests by direct maximisation of
# l(b) + log det I(b) / 2 with all terms kept in the information.
#
# Debian packages: r-base-core r-cran-brglm2 r-cran-jsonlite. Run in this folder: Rscript logistic_oracle.R
library(brglm2)
library(jsonlite)

penalised <- function(b, x, y) {
  eta <- drop(x %*% b)
  p <- plogis(eta)
  information <- crossprod(x * sqrt(p * (1 - p)))
  sum(plogis(ifelse(y == 1, eta, -eta), log.p = TRUE)) + 0.5 * as.numeric(determinant(information)$modulus)
}

restricted <- function(x, y, j, value, start) {
  f <- function(free) {
    b <- numeric(ncol(x))
    b[j] <- value
    b[-j] <- free
    -penalised(b, x, y)
  }
  best <- optim(start[-j], f, method = "BFGS", control = list(reltol = 1e-14, maxit = 5000))
  best <- optim(best$par, f, method = "Nelder-Mead", control = list(reltol = 1e-14, maxit = 20000))
  best <- optim(best$par, f, method = "BFGS", control = list(reltol = 1e-14, maxit = 5000))
  -best$value
}

one <- function(name, formula, data) {
  x <- model.matrix(formula, data)
  y <- model.response(model.frame(formula, data))
  fit <- glm(formula, binomial, data, method = "brglmFit", type = "AS_mean", epsilon = 1e-12, maxit = 1000)
  b <- coef(fit)
  top <- penalised(b, x, y)
  k <- ncol(x)
  low <- high <- p <- numeric(k)
  se <- sqrt(diag(solve(crossprod(x * sqrt(fitted(fit) * (1 - fitted(fit)))))))
  for (j in seq_len(k)) {
    drop <- function(v) restricted(x, y, j, v, b) - top + qchisq(0.95, 1) / 2
    far <- 2
    while (drop(b[j] - far * se[j]) > 0) far <- far * 1.5
    low[j] <- uniroot(drop, c(b[j] - far * se[j], b[j]), tol = 1e-9)$root
    far <- 2
    while (drop(b[j] + far * se[j]) > 0) far <- far * 1.5
    high[j] <- uniroot(drop, c(b[j], b[j] + far * se[j]), tol = 1e-9)$root
    p[j] <- pchisq(2 * (top - restricted(x, y, j, 0, b)), 1, lower.tail = FALSE)
  }
  list(
    name = name, terms = colnames(x), design = unname(x), outcome = as.integer(y),
    coefficients = unname(b), standard_errors = unname(se), low = low, high = high, p_values = p,
    penalised_log_likelihood = top
  )
}

data(endometrial)
set.seed(20260101)
n <- 26
exposure <- exp(rnorm(n, log(2.91), 0.62))
small <- data.frame(
  x = log(exposure), z = rnorm(n), y = rbinom(n, 1, plogis(-1.9 + 1.6 * log(exposure)))
)
apart <- data.frame(x = log(c(0.74, 1.1, 1.3, 1.39, 1.4, 2.2, 2.9, 3.5, 4.1, 8.8)), y = rep(0:1, each = 5))

out <- list(
  versions = list(R = R.version.string, brglm2 = as.character(packageVersion("brglm2"))),
  cases = list(
    one("endometrial", HG ~ NV + PI + EH, endometrial),
    one("small", y ~ x + z, small),
    one("separated", y ~ x, apart)
  )
)
write_json(out, "logistic_oracle.json", digits = 12, auto_unbox = TRUE, matrix = "rowmajor")
