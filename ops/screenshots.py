"""`make screenshots`: pictures of the running stack."""
