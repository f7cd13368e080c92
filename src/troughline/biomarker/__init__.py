"""Cytokines and other markers: how they change, and what they go with."""
