"""One module a reason to act, in the order in which `decide` asks them."""
