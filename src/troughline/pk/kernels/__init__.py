"""Kernels of individual estimation: likelihood, its maximum, draws from the posterior."""
