"""Colours that stay apart for colour-blind readers, and the arithmetic that proves it.

Derived from Okabe and Ito's set (https://jfly.uni-koeln.de/color/), whose black is useless on Grafana's dark
theme and gives way to a light grey. The builder accepts no other colours, so a dashboard cannot leave the set
by accident.
"""

from typing import Final, Literal

ORANGE: Final = "#E69F00"
SKY_BLUE: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D75F00"
"""A shade lighter than Okabe and Ito's, so that it can be read as text too."""
PURPLE: Final = "#CC79A7"
VIOLET: Final = "#9419FF"
"""Not of their set: it takes the place of yellow for lines, which cannot be seen on white."""
GREY: Final = "#BBBBBB"

GOOD: Final = GREEN
WARNING: Final = YELLOW
BAD: Final = VERMILLION
NEUTRAL: Final = SKY_BLUE
MUTED: Final = GREY

SERIES: Final = (SKY_BLUE, ORANGE, GREEN, VIOLET, PURPLE, BLUE, VERMILLION, GREY)
"""Colours of lines without a meaning of their own, in the order they are handed out."""

NAMED: Final = {
    "orange": ORANGE,
    "sky blue": SKY_BLUE,
    "green": GREEN,
    "violet": VIOLET,
    "blue": BLUE,
    "vermillion": VERMILLION,
    "purple": PURPLE,
    "grey": GREY,
}
"""The colours by name, as the table of parts names them."""

FILLS: Final = {GREEN: "#007F5C", VERMILLION: "#BF5000", SKY_BLUE: BLUE, GREY: "#6E6E6E", YELLOW: YELLOW}
"""The shade of a colour that fills a cell or a panel: words on it can be read, white ones or, on yellow, black ones."""
TRANSPARENT: Final = "transparent"
ACCEPTED: Final = frozenset({*SERIES, *FILLS.values(), TRANSPARENT})

DARK_PANEL: Final = "#181B1F"
"""Background of a panel in Grafana's dark theme."""
LIGHT_PANEL: Final = "#FFFFFF"
"""Likewise in its light theme."""
GRAPHICS: Final = 3.0
"""Least contrast of lines, bars and large text, by WCAG 2."""
GRAPHICS_ON_WHITE: Final = 1.9
"""Likewise in the light theme: eight colours that colour-blind readers tell apart do not all reach 3 on both."""
WORDS: Final = 4.5
"""Least contrast of text in its usual size."""

Deficiency = Literal["protanopia", "deuteranopia", "tritanopia"]

Triple = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, severity 1.0; rows act on linear RGB.
_SIMULATION: Final[dict[Deficiency, tuple[Triple, Triple, Triple]]] = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
_TO_XYZ: Final[tuple[Triple, Triple, Triple]] = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_SRGB_KNEE: Final = 0.04045
_BRIGHT: Final = 180
"""Of 255."""
_D65: Final[Triple] = (0.95047, 1.0, 1.08883)


def filled(color: str) -> str:
    """Return the shade of a colour that words stand on."""
    return FILLS.get(color, color)


def words_on(fill: str) -> str:
    """Return the colour of words on a filled cell, as Grafana chooses it by the brightness of the fill."""
    red, green, blue = (int(fill[i : i + 2], 16) for i in (1, 3, 5))
    return "#202226" if (299 * red + 587 * green + 114 * blue) / 1000 > _BRIGHT else "#F7F8FA"


def series_color(index: int) -> str:
    """Colour of the `index`-th (from 0) series, repeating after the last."""
    return SERIES[index % len(SERIES)]


def contrast(color: str, background: str = DARK_PANEL) -> float:
    """WCAG 2 contrast ratio of two `#rrggbb` colours, 1 (same) to 21.

    3 is the floor for graphics and large text.
    """
    bright, dark = sorted((_luminance(color), _luminance(background)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def distance(first: str, second: str, deficiency: Deficiency | None = None) -> float:
    """CIE 1976 distance of two `#rrggbb` colours as someone with `deficiency` sees them.

    About 2 is just visible side by side.
    """
    one, two = (_lab(_simulate(_linear(color), deficiency)) for color in (first, second))
    return float(sum((a - b) ** 2 for a, b in zip(one, two, strict=True)) ** 0.5)


def _linear(color: str) -> Triple:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return _channel(red), _channel(green), _channel(blue)


def _channel(value: float) -> float:
    # sRGB is linear close to black.
    return value / 12.92 if value <= _SRGB_KNEE else float(((value + 0.055) / 1.055) ** 2.4)


def _luminance(color: str) -> float:
    return _dot(_TO_XYZ[1], _linear(color))


def _dot(row: Triple, vector: Triple) -> float:
    return sum(a * b for a, b in zip(row, vector, strict=True))


def _apply(matrix: tuple[Triple, Triple, Triple], vector: Triple) -> Triple:
    return _dot(matrix[0], vector), _dot(matrix[1], vector), _dot(matrix[2], vector)


def _simulate(linear: Triple, deficiency: Deficiency | None) -> Triple:
    if deficiency is None:
        return linear
    red, green, blue = (min(1.0, max(0.0, value)) for value in _apply(_SIMULATION[deficiency], linear))
    return red, green, blue


def _lab(linear: Triple) -> Triple:
    x, y, z = (_lab_curve(value / white) for value, white in zip(_apply(_TO_XYZ, linear), _D65, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _lab_curve(value: float) -> float:
    return float(value ** (1 / 3)) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116
