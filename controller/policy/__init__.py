"""The decision itself: conditions, gates, budgets, `decide` and `explain`.

Pure and standard library only, so that any decision can be derived again, anywhere, from its snapshot.
"""
