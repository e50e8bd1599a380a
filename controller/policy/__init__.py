"""Deciding: pure functions of a snapshot, the rules and the time. Standard library only, no I/O at all."""
