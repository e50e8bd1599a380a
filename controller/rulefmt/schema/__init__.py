"""The table of keys: one module a section. Parser, JSON Schema and reference page are made from it."""

from __future__ import annotations
