"""Lints: what a policy may legally say and is dangerous all the same."""

from __future__ import annotations

from controller.rulefmt.lints.run import Linted, known_lints, lint, lint_together
from controller.rulefmt.lints.shape import Lint

__all__ = ["Lint", "Linted", "known_lints", "lint", "lint_together"]
