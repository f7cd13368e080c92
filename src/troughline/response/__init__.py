"""Exposure and response: thresholds, curves, windows, survival, and the guards over them."""
