"""Properties of the flow, over many made-up dashboards."""

import random
from itertools import combinations

import pytest

from dashboards.errors import SettingError
from dashboards.layout import COLUMNS, Box, Flow


def overlap(one: Box, two: Box) -> bool:
    return (
        one.x < two.x + two.width
        and two.x < one.x + one.width
        and one.y < two.y + two.height
        and two.y < one.y + one.height
    )


def rests_on_something(box: Box, boxes: list[Box]) -> bool:
    columns = set(range(box.x, box.x + box.width))
    return box.y == 0 or any(
        other.y + other.height == box.y and columns & set(range(other.x, other.x + other.width)) for other in boxes
    )


@pytest.mark.parametrize("seed", range(60))
def test_flow_holds_its_promises(seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 - not for secrets
    flow = Flow()
    boxes: list[Box] = []
    for _ in range(chosen.randint(1, 40)):
        if chosen.random() < 0.1:
            row = flow.row()
            assert all(box.y + box.height <= row.y for box in boxes)
            boxes.append(row)
        else:
            boxes.append(flow.place(chosen.randint(1, COLUMNS), chosen.randint(1, 12)))
    assert all(box.x >= 0 and box.x + box.width <= COLUMNS for box in boxes)
    assert not any(overlap(one, two) for one, two in combinations(boxes, 2))
    # Grafana would move up whatever hangs in the air, and what is stored would differ from what is shown.
    assert all(rests_on_something(box, boxes) for box in boxes)
    assert flow.bottom == max(box.y + box.height for box in boxes)


def test_left_to_right_then_down() -> None:
    flow = Flow()
    boxes = [flow.place(12, 8), flow.place(12, 4), flow.place(12, 4), flow.place(12, 4)]
    assert [(box.x, box.y) for box in boxes] == [(0, 0), (12, 0), (0, 8), (12, 4)]


@pytest.mark.parametrize(("width", "height"), [(0, 4), (25, 4), (-1, 4), (6, 0), (6, -2), (True, 4), (6, False)])
def test_what_does_not_fit_is_refused(width: int, height: int) -> None:
    with pytest.raises(SettingError, match=r"width|height"):
        Flow().place(width, height)
