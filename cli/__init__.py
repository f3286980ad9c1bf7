"""The operator's commands, which `make` runs too. Each module is one command, or one thing that several need."""
