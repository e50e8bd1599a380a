"""Deciding: the engine, what a decision is shown, and what its actions write."""
