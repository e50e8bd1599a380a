"""Evidently's drift preset with its defaults."""

import sys
import warnings

warnings.simplefilter("ignore")
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from measured import measured


def work():
    definition = DataDefinition(
        numerical_columns=[f"x{i}" for i in range(15)],
        categorical_columns=[f"g{i}" for i in range(5)],
    )
    before, now = (
        Dataset.from_pandas(pd.read_parquet(path), data_definition=definition)
        for path in sys.argv[1:3]
    )
    found = Report([DataDriftPreset()]).run(now, before).dict()
    return str(found["metrics"][0]["value"])


measured(work)
