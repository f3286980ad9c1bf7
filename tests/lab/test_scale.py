"""The model of growth: its page is what it says today, and it says nothing absurd."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.scale import FILL, PAGE, SIZES, Machine, Model, Size, page, rules_of_a_service
from observability import rules
from observability.settings import load


def test_the_page_has_the_model_s_tables() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `make scale`"


def test_rules_are_counted_as_they_are_rendered() -> None:
    def count(services: str) -> int:
        rendered = rules.render(load("test", {"watchStack": "false", "services": services}))
        return sum(text.count("record:") for text in rendered.values())

    two = '[{"name": "a", "targets": ["a:1"]}, {"name": "b", "targets": ["b:1"]}]'
    assert count(two) - count("[]") == 2 * rules_of_a_service()


@pytest.mark.parametrize("field", ["services", "hosts", "instances", "series", "requests", "metric_days", "log_days"])
def test_more_of_anything_never_needs_less(field: str) -> None:
    size = Size(services=100, hosts=10)
    more = replace(size, **{field: 2 * getattr(size, field)})
    for (_, here, there), (_, here_more, there_more) in zip(
        Model(size, 98).signals(), Model(more, 98).signals(), strict=True
    ):
        for less, greater in ((here, here_more), (there, there_more)):
            assert (less.cores, less.memory, less.disk + less.objects) <= (
                greater.cores, greater.memory, greater.disk + greater.objects
            )  # fmt: skip


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size.services))
def test_what_stays_fits_and_what_leaves_had_to(size: Size) -> None:
    machine, model = Machine(), Model(size, 98)
    gone = model.moves(machine)
    stays = [here for name, here, _ in model.signals() if name not in gone]
    for field, room in (("cores", machine.cores), ("memory", machine.memory), ("disk", machine.disk)):
        assert sum(getattr(need, field) for need in stays) <= FILL * room
    assert set(gone) <= {"metrics", "logs", "traces"}
    assert Model(replace(size, services=0, hosts=1), 98).moves(machine) == []
