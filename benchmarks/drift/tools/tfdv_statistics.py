"""TFDV: the batch's statistics and their validation against a schema with drift comparators."""

import os
import sys
import warnings

warnings.simplefilter("ignore")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import pandas as pd
import tensorflow_data_validation as tfdv
from measured import measured

before = tfdv.generate_statistics_from_dataframe(
    pd.read_parquet(sys.argv[1]).head(100_000), n_jobs=1
)
schema = tfdv.infer_schema(before)
for feature in schema.feature:
    feature.drift_comparator.jensen_shannon_divergence.threshold = 0.1


def work():
    now = tfdv.generate_statistics_from_dataframe(pd.read_parquet(sys.argv[2]), n_jobs=1)
    found = tfdv.validate_statistics(now, schema, previous_statistics=before)
    return f"{len(found.anomaly_info)} anomalies"


measured(work)
