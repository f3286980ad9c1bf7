"""The former name of `components.checks`: states of stacks made before 0.2 name their providers by it."""

from components.checks import PreflightProvider, ReadinessProvider

__all__ = ["PreflightProvider", "ReadinessProvider"]
