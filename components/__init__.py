"""Pulumi resources and components of the stack, one concept a file."""
