"""Notifications: what is told to whom, once."""
