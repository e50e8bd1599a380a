"""The loops: each reads the clock once, does one pass and returns what it counted."""
