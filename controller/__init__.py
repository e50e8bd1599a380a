"""The control plane: watches, decides and records. It never imports or runs a user's code."""
