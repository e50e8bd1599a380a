"""The demonstration: the year 2013 through the real controller, on simulated dates.

Nothing here decides, trains or judges. It puts each month's file where the policy's source looks, moves the decision
clock, and waits for what the controller and a worker, the very ones of `incumbent up`, make of it.
"""
