"""`make bench`: speed, as ratios."""
