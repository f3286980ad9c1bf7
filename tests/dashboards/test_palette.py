"""The palette: colours are visible on the dark theme, and distinct for colour-blind readers."""

from itertools import combinations

import pytest

from dashboards import palette

DEFICIENCIES: tuple[palette.Deficiency | None, ...] = (None, "protanopia", "deuteranopia", "tritanopia")


def test_known_contrasts() -> None:
    assert palette.contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert palette.contrast("#777777", "#777777") == pytest.approx(1)
    assert palette.contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


def test_simulation_merges_red_and_green_but_not_blue_and_yellow() -> None:
    # Equally bright for a protanope, so the hue is all that tells them apart.
    assert palette.distance("#C00000", "#4B4B00", "protanopia") < palette.distance("#C00000", "#4B4B00") / 2
    assert palette.distance("#0000FF", "#FFFF00", "deuteranopia") > 100


@pytest.mark.parametrize("color", palette.SERIES)
def test_readable_on_dark(color: str) -> None:
    assert palette.contrast(color) >= 3


@pytest.mark.parametrize("color", palette.SERIES)
def test_seen_on_white(color: str) -> None:
    assert palette.contrast(color, palette.LIGHT_PANEL) >= palette.GRAPHICS_ON_WHITE


@pytest.mark.parametrize("color", [palette.GOOD, palette.WARNING, palette.BAD, palette.NEUTRAL, palette.MUTED])
def test_words_on_a_fill_can_be_read(color: str) -> None:
    fill = palette.filled(color)
    assert palette.contrast(palette.words_on(fill), fill) >= palette.WORDS


@pytest.mark.parametrize("deficiency", [None, "protanopia", "deuteranopia"])
def test_fills_stay_far_apart(deficiency: palette.Deficiency | None) -> None:
    for first, second in combinations(map(palette.filled, (palette.GOOD, palette.WARNING, palette.BAD)), 2):
        assert palette.distance(first, second, deficiency) > 30, (first, second)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_series_stay_apart(deficiency: palette.Deficiency | None) -> None:
    for first, second in combinations(palette.SERIES, 2):
        assert palette.distance(first, second, deficiency) > 14, (first, second)


@pytest.mark.parametrize("deficiency", [None, "protanopia", "deuteranopia"])
def test_good_warning_bad_stay_far_apart(deficiency: palette.Deficiency | None) -> None:
    for first, second in combinations((palette.GOOD, palette.WARNING, palette.BAD), 2):
        assert palette.distance(first, second, deficiency) > 30, (first, second)


def test_series_colors_repeat() -> None:
    assert palette.series_color(len(palette.SERIES)) == palette.series_color(0)
