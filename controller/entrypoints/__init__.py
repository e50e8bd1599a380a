"""Where a process starts: the command line, the API, the page."""
