"""The policies in force: read from git, kept, and when they are due."""
