"""The readers of policies and rule tests, made from what is declared."""
