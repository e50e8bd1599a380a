"""Why: decisions, models and data as people read them."""
