"""The HTTP side: an API for programs under ``/v1``, and the page for people beside it."""
