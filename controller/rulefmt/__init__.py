"""The rule file format: YAML to domain rules with file:line:col, JSON Schema, lint, rule tests."""
