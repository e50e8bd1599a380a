"""Places where data arrive: files and globs, tables, lakes, events. One port, one conformance suite."""
