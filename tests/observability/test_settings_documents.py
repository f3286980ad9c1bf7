"""A mistake in a stack's file is one line with file, line and column; a right file reads as Pulumi reads it."""

from __future__ import annotations

import pytest

from observability.settings.documents import DocumentError, parse, read_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config:\n\tobservability:demo: true\n", "2:1: a tab; indent with spaces"),
        ("config:\n  a: b\n \tc: d\n", "3:2: a tab"),
        ("config:\n  observability:alertEmail: [a@b.c\n", "2:29: not closed: a list: its ] is missing"),
        ("config:\n  observability:limits: {grafana: {memory: 1\n", "2:35: not closed: an object: its } is missing"),
        ("config:\n  a: [", "2:7: not closed: a list or an object"),
        ('config:\n  observability:owner: "me\n', "2:24: not closed: a text"),
        ("config:\n  - observability:demo: true\n", "2:3: config is a list; accepted: keys with values"),
        ("- config\n", "1:1: the file is a list"),
        ("just words\n", "1:1: the file is text"),
        ("config: yes\n", "1:9: config is text"),
        ("config: {}\n---\nconfig: {}\n", "2:1: a second document begins"),
        (
            "config:\n  observability:demo: true\n  observability:demo: false\n",
            "3:3: the key 'observability:demo' is given",
        ),
        ("config:\n  observability:services:\n  - name: a\n    name: b\n", "4:5: the key 'name' is given twice"),
        ("config:\n  a: b: c\n", "2:7: a second `:` in one line"),
        ("config:\n  a: *nobody\n", "2:6: not YAML: found undefined alias 'nobody'"),
        ("config:\n  a: \x00\n", "2:6: a control character"),
        ("config:\n  ? [a]\n  : b\n", "2:5: a key that is a list or an object"),
        ("config:\n  a: !!python/object:os.system {}\n", "2:6: a tag !python/object:os.system, which settings do not"),
        ("config:\n  a: !secret x\n", "2:6: a tag !secret"),
        ("config:\n  a: !!set {x}\n", "2:6: a tag !set"),
        ("config:\n  a: !!timestamp x\n", "2:6: a tag !timestamp"),
        ("config:\n  a: !!bool maybe\n", "2:6: a value that is no true or false"),
        ("config:\n  a: !!int x\n", "2:6: a value that is no whole number"),
        ("config:\n  a: !!float x\n", "2:6: a value that is no number"),
        ("config:\n  a: !!str [x]\n", "2:6: a tag that says other than what follows"),
        ("config:\n  a: &x [*x]\n", "2:6: a value that contains itself"),
        ('config:\n  a: "\\ud800"\n', "2:6: a code of half a character"),
        ("confg:\n  a: b\n", "1:1: unknown key 'confg'; did you mean `config`?"),
        ("observability:demo: true\n", "1:1: unknown key 'observability:demo'; settings belong below `config:`"),
        (f"config:\n  a: {'9' * 5_000}\n", "2:6: a number that is too long"),
        (f"config:\n  a: {'[' * 3_000}\n", "1:1: values nested too deeply"),
    ],
)
def test_a_mistake_is_one_line(text: str, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, "Pulumi.dev.yaml")
    assert str(caught.value).startswith(f"Pulumi.dev.yaml:{expected}")
    assert "\n" not in str(caught.value)


def test_a_mistake_shows_no_secret() -> None:
    with pytest.raises(DocumentError) as caught:
        parse("config:\n  observability:grafanaAdminPassword: [hunter2\n", "Pulumi.dev.yaml")
    assert "hunter2" not in str(caught.value)


def test_text_is_utf_8() -> None:
    with pytest.raises(DocumentError, match=r"^Pulumi\.dev\.yaml:2:6: a byte that is no UTF-8 text$"):
        read_text(b"config:\n  a: \xff\n", "Pulumi.dev.yaml")
    assert read_text(b"\xef\xbb\xbfconfig: {}\n", "x") == "config: {}\n"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("true", True), ("FALSE", False), ("18:00", "18:00"),
        ("2026-01-02", "2026-01-02"),
        ("1e3", 1000.0), ("010", 8), ("0o10", 8), ("0x10", 16), ("99.5", 99.5), ("~", None), ("", None),
        ("1_000", 1000), ("=", "="), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_values_are_read_as_pulumi_reads_them(written: str, value: object) -> None:
    result = parse(f"config:\n  key: {written}\n", "x").config["key"]
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize("text", ["", "config:\n", "# nothing\n", "~\n", "encryptionsalt: v1:x\n"])
def test_a_file_may_be_empty(text: str) -> None:
    assert parse(text, "x").config == {}


def test_every_value_has_its_place() -> None:
    document = parse("config:\n  observability:services:\n    - name: a\n      labels: {status: code}\n", "P.yaml")
    assert document.position(("services", 0, "name")) == " (P.yaml, line 3, column 7)"
    assert document.position(("services", 0, "labels", "status")) == " (P.yaml, line 4, column 16)"
    assert document.position(("services", 0, "missing")) == " (P.yaml, line 3, column 7)"
    assert not document.position(("nothing",))


def test_anchors_within_anchors_end() -> None:
    doubled = "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    with pytest.raises(DocumentError, match=r"unfolds to more than 100000 values"):
        parse(f"config:\n  a0: &a0 [x, x, x]\n{doubled}", "x")
