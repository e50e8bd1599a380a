"""Looking at places where data arrives: when, at which, and what a look writes down."""
