"""One plugin of each kind. Each file imports only what its kind needs, when it is asked."""
