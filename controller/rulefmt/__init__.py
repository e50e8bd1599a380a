"""The format of rules files: YAML -> domain rules with positions, JSON Schema, lints, rule tests.

Format and runtime stay apart: nothing here decides anything, and nothing that decides knows YAML.
"""

from __future__ import annotations

from controller.rulefmt.parse import ParsedPolicy, blob_id, load_policy, parse, read_policy_text
from controller.rulefmt.problems import Problem

__all__ = ["ParsedPolicy", "Problem", "blob_id", "load_policy", "parse", "read_policy_text"]
