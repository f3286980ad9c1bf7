"""The profile reads the engine's trace as it is written."""

from __future__ import annotations

import json

from lab import profile


def span(name: str, began: float, ended: float, urn: str = "") -> dict[str, object]:
    attributes = [{"key": "urn", "value": {"stringValue": urn}}] if urn else []
    return {
        "name": name,
        "startTimeUnixNano": str(int((100 + began) * 1e9)),
        "endTimeUnixNano": str(int((100 + ended) * 1e9)),
        "attributes": attributes,
    }


def test_calls_are_added_up_by_kind_in_the_order_they_begin() -> None:
    container = "urn:pulumi:dev::observability::docker:index/container:Container::loki"
    lines = [
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span("pulumirpc.LanguageRuntime/Run", 1, 9)]}]}]}),
        json.dumps(
            {"resourceSpans": [{"scopeSpans": [{"spans": [
                span("newPlugin", 0, 1), span("sdkv2.Diff", 3, 3.5, container), span("sdkv2.Diff", 4, 4.25, container),
            ]}]}]}
        ),
    ]  # fmt: skip
    spans = profile.read(lines)
    assert profile.by_call(spans) == [
        ("Run", "1", "8.00", "1.00", "9.00"),
        ("Diff", "2", "0.75", "3.00", "4.25"),
    ]
    assert [s.resource for s in spans if s.resource] == ["loki", "loki"]
