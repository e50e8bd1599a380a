"""One reason a file; :mod:`controller.policy.reasons.registry` ranks them."""
