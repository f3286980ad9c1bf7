"""Policies as code: what every stack has to keep, whatever a change to the program intends."""
