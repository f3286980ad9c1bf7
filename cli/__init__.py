"""The commands behind `make`. Each module is one command or one thing that several commands need."""
