"""The `incumbent` command."""
