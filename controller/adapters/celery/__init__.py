"""The doorbell: tells Celery workers that a run waits, and nothing more."""

from __future__ import annotations

from controller.adapters.celery.broker import EmbeddedBroker, embedded_url
from controller.adapters.celery.dispatcher import CeleryDispatcher
from controller.adapters.celery.settings import celery_settings

__all__ = ["CeleryDispatcher", "EmbeddedBroker", "celery_settings", "embedded_url"]
