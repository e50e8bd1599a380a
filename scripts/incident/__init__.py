"""One incident, played from end to end, and followed only by what the system tells: `python -m scripts.incident`."""
