"""The control plane: decides which model holds the seat.

Imports nothing, so that `incumbent --version` and every worker start quickly.
"""

__version__ = "0.1.0"
