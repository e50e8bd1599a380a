"""The data plane: trains, evaluates, profiles and serves; user code runs here, in a process of its own."""
