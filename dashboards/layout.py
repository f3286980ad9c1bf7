"""Where panels go: from left to right over 24 columns, each as high up as it fits.

Grafana closes vertical gaps when it shows a dashboard. Positions made here have none, so what is shown and
what is stored agree.
"""

from dataclasses import dataclass
from typing import Final

from dashboards.errors import refuse

COLUMNS: Final = 24
ROW_HEIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the grid, in columns and rows from its top left corner."""

    x: int
    y: int
    width: int
    height: int


class Flow:
    """Hands out places in the order asked for; each costs the same, however many came before."""

    def __init__(self, top: int = 0) -> None:
        self._x = 0
        self._bottoms = [top] * COLUMNS

    @property
    def bottom(self) -> int:
        """First row that is free over the whole width."""
        return max(self._bottoms)

    def place(self, width: int, height: int) -> Box:
        """Next place for a panel, on a new line if this one has too few columns left.

        Raises:
            SettingError: it does not fit the grid.

        """
        if not _whole(width) or not 1 <= width <= COLUMNS:
            refuse("width", width, f"a whole number of columns, 1 to {COLUMNS}")
        if not _whole(height) or height < 1:
            refuse("height", height, "a whole number of rows, 1 or more")
        if self._x + width > COLUMNS:
            self._x = 0
        span = slice(self._x, self._x + width)
        box = Box(self._x, max(self._bottoms[span]), width, height)
        self._bottoms[span] = [box.y + height] * width
        self._x += width
        return box

    def row(self) -> Box:
        """Place for a row's heading below everything so far; what follows starts a new line."""
        box = Box(0, self.bottom, COLUMNS, ROW_HEIGHT)
        self._x = 0
        self._bottoms = [box.y + ROW_HEIGHT] * COLUMNS
        return box


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
