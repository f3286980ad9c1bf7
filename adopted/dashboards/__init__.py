"""One adopted dashboard a module."""
