"""Cytokines and other markers: censored levels before and after, across groups, and what may be said."""
