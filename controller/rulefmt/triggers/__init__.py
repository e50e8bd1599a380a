"""How each kind of trigger stands in a policy and in a rule test: one file a kind."""
