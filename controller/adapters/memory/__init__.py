"""Every port in memory: for tests, for simulated time, for `plan` and `backtest`."""
