"""Virtual trials: arms, populations and visits over the mechanism, beside what trials published."""
