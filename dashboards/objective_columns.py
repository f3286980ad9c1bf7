"""The columns that every table of objectives has: state, budget left, burn rate; with a name they fit a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import queries, style, tables
from dashboards.model import Override

if TYPE_CHECKING:
    from observability.settings import Settings

BURN_RATE: Final = f"Burn rate, {queries.BURN_NOW}"
"""The title of the burn rate's column."""
MOST_BURN: Final = 1_000
"""A burn rate from which on the number does not matter; what is below fits the column."""


def state() -> Override:
    """Return the look of the column of states."""
    return Override(
        name="State",
        unit="none",
        decimals=0,
        cell="color-background",
        mappings=tables.STATE_TEXTS,
        width=style.STATE,
        custom=style.LEFT,
    )


def budget_left(settings: Settings) -> Override:
    """Return the look of the column of what is left of the error budget."""
    return Override(
        name="Budget left",
        **style.BUDGET_SHARE,
        cell="color-background",
        thresholds=style.budget_thresholds(settings),
        width=style.NUMBER - 11,
    )


def burn_rate() -> Override:
    """Return the look of the column of burn rates."""
    return Override(
        name=BURN_RATE,
        **style.BURN_RATE,
        cell="color-background",
        thresholds=style.burn_thresholds(),
        mappings={(MOST_BURN, None): f"> {MOST_BURN - 1} {style.TIMES}"},
        width=style.NUMBER + 1,
    )


def overrides(settings: Settings) -> tuple[Override, ...]:
    """Return the look of the three columns."""
    return (
        state(),
        budget_left(settings),
        burn_rate(),
    )
