"""One reason a file; :mod:`controller.policy.decide` ranks them."""
