"""A copy of everything that is true: the database, whole at one moment, and the artifacts that it names."""
