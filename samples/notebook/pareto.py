# A notebook as a script: each "# %%" begins a cell. Editors that know Jupyter run it cell by cell; `python pareto.py` runs it whole.
# It needs pandas and matplotlib, and pyarrow for the Parquet file (requirements.txt). Without pyarrow it reads the same rows as CSV.

# %% Run an experiment. What has run before is taken from the folder.
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "notebook-results")
subprocess.run(
    ["dotnet", "run", "-c", "Release", "--project", str(ROOT / "src/ScalerHost"), "--", "simulate",
     "--preset", "faas", "--length", "300", "--seeds", "1..5",
     "--policy", "ttl:1..1800,adaptive,adaptive:price=99.69,kpa,femux,rainbowcake,spes,slo,capped", "--out", str(OUT), "--json"],
    check=True, stdout=subprocess.DEVNULL)

# %% Read the rows: one for each policy and seed, and the bound as a row of its own.
import pandas as pd

try:
    runs = pd.read_parquet(OUT / "results.parquet")
except ImportError:
    print("pyarrow is not here: reading results.csv")
    runs = pd.read_csv(OUT / "results.csv")
print(runs[["trace", "seed", "policy", "score", "rum", "waitSeconds", "wastedGbSeconds"]].head())

# %% Means over the seeds, and which policies are on the Pareto front: nobody waits less and wastes less.
means = runs[~runs.isBound].groupby("policy")[["waitSeconds", "wastedGbSeconds", "rum"]].mean().sort_values("waitSeconds")
means["onFront"] = means.wastedGbSeconds < means.wastedGbSeconds.cummin().shift(fill_value=float("inf"))
print(means.round(1))

# %% Draw the front.
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(9, 6))
sweep = means[means.index.str.startswith("ttl:")]
axes.plot(sweep.waitSeconds, sweep.wastedGbSeconds, ".--", color="grey", label="ttl, 1 to 1800 s")
front = means[means.onFront]
axes.step(front.waitSeconds, front.wastedGbSeconds, where="post", color="tab:blue", label="Pareto front")
for policy, row in means[~means.index.str.startswith("ttl:")].iterrows():
    axes.plot(row.waitSeconds, row.wastedGbSeconds, "o", color="tab:blue" if row.onFront else "tab:orange")
    axes.annotate(policy, (row.waitSeconds, row.wastedGbSeconds), textcoords="offset points", xytext=(5, 4), fontsize=8)
axes.set(xscale="log", yscale="log", xlabel="what requests wait for instances, s", ylabel="wasted memory, GB·s", title="faas, 300 s, mean of 5 seeds")
axes.legend()
figure.savefig(OUT / "pareto.png", dpi=120, bbox_inches="tight")
print(f"{OUT / 'pareto.png'}: {len(front)} of {len(means)} policies are on the front")
