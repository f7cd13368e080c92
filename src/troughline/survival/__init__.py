"""Time to an event: curves, tests, regressions, competing and repeated events."""
