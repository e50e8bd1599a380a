"""A team's MLflow server, spoken to over REST. Nothing of MLflow is imported."""
