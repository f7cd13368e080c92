# Reference for the Firth-penalised Cox regression, by maximising l(b) + log|I(b)|/2 with a general optimiser
# over values that R's survival gives at fixed coefficients (coxph with no iteration).
# Run: Rscript firth.R > firth.json
library(survival)
library(jsonlite)

sets <- list(
  separated = list(
    time = c(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), event = c(1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0),
    x = cbind(c(1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0))
  ),
  tied = list(
    time = c(1, 1, 2, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 9), event = c(1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0),
    x = cbind(c(0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0),
      c(2.9, 1.2, 0.8, 4.4, 3.1, 0.9, 2.2, 5.0, 1.7, 3.3, 0.7, 2.5, 6.1, 1.1))
  )
)
one <- function(s) {
  p <- ncol(s$x)
  outcome <- Surv(s$time, s$event)
  penalised <- function(b) {
    fit <- coxph(outcome ~ s$x, init = b, iter.max = 0)
    fit$loglik[2] - log(det(as.matrix(fit$var))) / 2
  }
  best <- optim(rep(0, p), function(b) -penalised(b), method = "BFGS",
    control = list(reltol = 1e-15, maxit = 1000, ndeps = rep(1e-5, p)))
  top <- -best$value
  profile <- function(j, value) {
    if (p == 1) return(penalised(value))
    inner <- function(rest) {
      b <- numeric(p)
      b[j] <- value
      b[-j] <- rest
      penalised(b)
    }
    optimize(inner, c(-10, 10), maximum = TRUE, tol = 1e-10)$objective
  }
  bounds <- sapply(seq_len(p), function(j) {
    fall <- function(value) 2 * (top - profile(j, value)) - qchisq(.95, 1)
    c(uniroot(fall, c(best$par[j] - 10, best$par[j]), tol = 1e-10)$root,
      uniroot(fall, c(best$par[j], best$par[j] + 10), tol = 1e-10)$root)
  })
  list(time = s$time, event = s$event, x = s$x, coef = best$par, penalised = top,
    low = bounds[1, ], high = bounds[2, ],
    ratio = sapply(seq_len(p), function(j) 2 * (top - profile(j, 0))))
}
cat(toJSON(list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  fits = lapply(sets, one)
), digits = NA, auto_unbox = FALSE))
