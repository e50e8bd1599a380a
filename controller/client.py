"""The Python client: ``from controller.client import Client``.

>>> client = Client("https://incumbent.example", token)     # doctest: +SKIP
>>> client.word("hold", "flight-delay", "holidays")         # doctest: +SKIP
"""

from controller.adapters.remote.client import AcceptedSignal, Client, StreamEvent

__all__ = ["AcceptedSignal", "Client", "StreamEvent"]
