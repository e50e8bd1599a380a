"""Our registry over MLflow's REST interface."""
