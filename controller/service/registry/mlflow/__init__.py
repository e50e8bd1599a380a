"""Our registry as MLflow's clients see it, and a team's MLflow server as the place where we publish."""
