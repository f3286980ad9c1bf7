"""What the components for other programs have in common: typed arguments in, checked as settings, outputs out."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import pulumi

from observability import configuration
from observability.settings import Settings, load
from observability.settings.argument_names import argument_name, as_configured, output_name

PACKAGE: Final = "observability"
"""The package's name, with which every type begins."""
SECRET_OUTPUTS: Final = frozenset({"grafanaAdminPassword", "grafanaToken", "demoToken"})
NOT_EXPORTED: Final = frozenset({"recordingRules"})
"""Outputs that this repository's program leaves out of the stack's: `make render` writes them as files."""
_KEYS: Final = {argument_name(f.alias or n): (f.alias or n, f.annotation) for n, f in Settings.model_fields.items()}

CHECKED: Final[Any] = {}
"""The arguments of a component that gets settings instead, which were read and checked already."""

Outputs = dict[str, Any]


class Component(pulumi.ComponentResource):
    """A component whose outputs are its attributes, and `outputs` by the names that a stack exports them with."""

    def __init__(self, kind: str, name: str, opts: pulumi.ResourceOptions | None) -> None:
        """Register the component, without anything in it."""
        super().__init__(f"{PACKAGE}:index:{kind}", name, None, opts)
        self.outputs: Outputs = {}

    def bring_up(
        self,
        deploy: Literal["stack", "content"],
        args: Mapping[str, Any],
        settings: Settings | None,
        make: Callable[[Settings], Outputs],
    ) -> None:
        """Make what the arguments ask for.

        Everything is checked before anything is made. So an argument that is an output is waited for, and what it
        decides is not in a preview that does not know it yet.

        Args:
            deploy: with containers, or content alone.
            args: the typed arguments.
            settings: the same, read and checked already.
            make: makes everything and returns the outputs.

        """

        def made(read: Settings) -> Outputs:
            outputs = make(read)
            self.register_outputs(outputs)
            return outputs

        secret = frozenset(_KEYS.get(name, (name,))[0] for name, value in args.items() if any(_outputs_in(value)))
        if settings is not None or not secret:
            self.outputs = made(settings or checked(args, deploy))
            self._set_attributes(self.outputs.get)
        else:
            plain: pulumi.Output[dict[str, Any]] = pulumi.Output.from_input(dict(args))
            later: pulumi.Output[dict[str, Any]] = plain.apply(
                lambda known: pulumi.Output.from_input(made(checked(known, deploy, secret)))
            )
            self._set_attributes(
                lambda name: (pulumi.Output.secret if name in SECRET_OUTPUTS else pulumi.Output.unsecret)(
                    later.apply(lambda outputs: outputs.get(name))
                )
            )

    def _set_attributes(self, value: Callable[[str], Any]) -> None:
        for name in inspect.get_annotations(type(self)):
            setattr(self, name, pulumi.Output.from_input(value(output_name(name))))


def checked(
    args: Mapping[str, Any], deploy: Literal["stack", "content"], secret: frozenset[str] = frozenset()
) -> Settings:
    """Return the settings that a calling program gives as arguments; pulumi.RunError with every problem otherwise.

    Args:
        args: the arguments, without outputs.
        deploy: with containers, or content alone.
        secret: the settings that came as outputs, so that they are in no state in plain text.

    """
    given = {name: value for name, value in args.items() if value is not None}
    stack = given.pop("stack_name", None) or f"{pulumi.get_project()}-{pulumi.get_stack()}".lower()
    prefix = given.pop("name_prefix", "")
    given.pop("docker_host", None)
    if given.get("own_folder"):
        given["own_folder"] = str(Path(given["own_folder"]).expanduser().resolve())  # of the caller's, not of ours
    raw: dict[str, str] = {"deploy": deploy}
    for name, value in given.items():
        key, annotation = _KEYS.get(name, (name, None))
        raw[key] = _text(as_configured(value, annotation))
    return configuration.checked(lambda: load(stack, raw, secret, name_prefix=prefix))


def _text(value: Any) -> str:  # noqa: ANN401 - any argument
    return value if isinstance(value, str) else json.dumps(value)


def _outputs_in(value: Any) -> Iterator[bool]:  # noqa: ANN401 - any argument
    """Yield True for every output in an argument."""
    if isinstance(value, pulumi.Output):
        yield True
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _outputs_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _outputs_in(one)
