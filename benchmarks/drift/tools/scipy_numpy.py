"""What people write by hand: pandas, a KS test and PSI a number, chi2 and JS a category."""

import sys

import numpy as np
import pyarrow.parquet as pq
from measured import measured
from scipy import stats
from scipy.spatial.distance import jensenshannon


def work():
    found = 0
    names = [f"x{i}" for i in range(15)] + [f"g{i}" for i in range(5)]
    for name in names:  # column by column: both tables at once would take 20 GB
        before, now = (
            pq.read_table(path, columns=[name]).column(0).to_pandas().dropna()
            for path in sys.argv[1:3]
        )
        if name[0] == "x":
            edges = np.unique(np.quantile(before, np.linspace(0, 1, 11)[1:-1]))
            p, q = (
                np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) / len(x) + 1e-6
                for x in (before.to_numpy(), now.to_numpy())
            )
            psi = ((p - q) * np.log(p / q)).sum()
            found += stats.ks_2samp(before, now).pvalue < 0.05 or psi > 0.1
        else:
            p, q = before.value_counts(), now.value_counts()
            every = p.index.union(q.index)
            p, q = p.reindex(every, fill_value=0), q.reindex(every, fill_value=0)
            stats.chi2_contingency(np.vstack([p, q]))
            found += jensenshannon(p, q) > 0.1
    return f"{found} of {len(names)} columns drifted"


measured(work)
