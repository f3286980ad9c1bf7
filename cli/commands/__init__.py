"""The command line's groups: one module each. A command imports what it runs only when it runs."""
