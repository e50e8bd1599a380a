"""Rules from a git repository, with the evidence that they were reviewed."""
