"""What others may see of a running system: figures, readiness, and the names of both."""
