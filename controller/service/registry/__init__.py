"""Versions as other programs see them: resolving, pulling, retention, MLflow."""
