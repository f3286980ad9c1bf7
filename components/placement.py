"""Where the resources of a component are: under it, and before there were components, under nothing."""

from __future__ import annotations

import pulumi


def under(parent: pulumi.Resource, opts: pulumi.ResourceOptions | None = None) -> pulumi.ResourceOptions:
    """Return the options of a direct child of `parent`, known by the URN that it had without a parent too."""
    alias = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=parent, aliases=[alias]))
