"""The doorbell: tells Celery workers that a run waits, and nothing more."""
