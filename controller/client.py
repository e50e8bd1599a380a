"""The Python client: ``from controller.client import Client``.

>>> client = Client("https://incumbent.example", token)     # doctest: +SKIP
>>> client.word("hold", "flight-delay", "holidays")         # doctest: +SKIP
"""

from controller.adapters.remote.client import Accepted, Client, Event

__all__ = ["Accepted", "Client", "Event"]
