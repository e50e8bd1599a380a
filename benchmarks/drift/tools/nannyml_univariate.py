"""NannyML's univariate drift with its defaults, the batch as one chunk."""

import sys
import warnings

warnings.simplefilter("ignore")
import nannyml
import pandas as pd
from measured import measured


def work():
    before, now = (pd.read_parquet(path) for path in sys.argv[1:3])
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=list(before.columns), chunk_number=10
    ).fit(before)
    found = calculator.calculate(now).filter(period="analysis").to_df()
    alerts = found.xs("alert", axis=1, level=-1)
    return f"{int(alerts.any().sum())} alerts in 10 chunks"


measured(work)
