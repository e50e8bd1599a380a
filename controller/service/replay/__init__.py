"""Deciding again: verifying a chain, plans, backtests, rule tests, what would flip a verdict."""
