"""What the stack is made of: one concept a file."""
