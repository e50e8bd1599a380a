"""A server somewhere else, over its API: a typed client, and the reading side of the ports on top of it."""
