"""How a summary inserts the values of an alert's queries: Go templates that Grafana fills in."""

from __future__ import annotations


def count(query: str) -> str:
    """Return a whole number."""
    return _value('printf "%.0f"', query)


def times(query: str) -> str:
    """Return a number with one digit after the point."""
    return _value('printf "%.1f"', query)


def share(query: str) -> str:
    """Return a ratio as a percentage."""
    return _value("humanizePercentage", query)


def left(query: str, what: str) -> str:
    """Return how much of `what` is left, as the start of a sentence: nothing, where more than all of it is spent."""
    value = f'(index $values "{query}").Value'
    share = f"{{{{ if lt {value} 0.0 }}}}Nothing{{{{ else }}}}{{{{ humanizePercentage {value} }}}}{{{{ end }}}}"
    return f"{{{{ if $values }}}}{share}{{{{ else }}}}(unknown){{{{ end }}}} of {what} is left"


def size(query: str) -> str:
    """Return a number of bytes."""
    return _value("humanize1024", query) + "B"


def label(name: str) -> str:
    """Return the value of a label of the query's series."""
    return f"{{{{ $labels.{name} }}}}"


def _value(form: str, query: str) -> str:
    # Without an answer there are no values, and what is missing would be an error in place of the whole text.
    return f'{{{{ if $values }}}}{{{{ {form} (index $values "{query}").Value }}}}{{{{ else }}}}(unknown){{{{ end }}}}'
