"""How soon a regression is seen, and how often a healthy champion is taken for a bad one."""
