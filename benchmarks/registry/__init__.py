"""The registry beside MLflow's: create, promote, resolve, search and list, and the races."""
