"""Go templates that insert the values of an alert's queries into its summary."""

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
    """Return the beginning of a sentence on how much of `what` is left; "nothing" if it is overspent."""
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
    # Without an answer there is no such value, and Grafana would replace the whole text by an error.
    return f'{{{{ if $values }}}}{{{{ {form} (index $values "{query}").Value }}}}{{{{ else }}}}(unknown){{{{ end }}}}'
