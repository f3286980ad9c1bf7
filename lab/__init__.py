"""The laboratory: benchmarks, load, fault injection, and the tools of maintainers. No user needs it."""
