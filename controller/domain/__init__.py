"""Frozen values and transition tables: what the words of the glossary mean, with no I/O at all."""
