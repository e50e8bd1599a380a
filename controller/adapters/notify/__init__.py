"""Senders: Apprise for people, signed webhooks for programs, both behind one guard."""
