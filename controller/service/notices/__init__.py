"""Messages to people: gathered from the outbox, worded, sent until they arrive."""
