"""`python -m demo.train folder`: two versions of the model, from the digits that come with scikit-learn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SAMPLES = 200


def main(folder: Path) -> None:
    """Write digits-1.joblib and digits-2.joblib (`model`, `accuracy`) and samples.json, pictures to ask about."""
    folder.mkdir(parents=True, exist_ok=True)
    images, digits = load_digits(return_X_y=True)
    training, held_out, training_digits, held_out_digits = train_test_split(
        images, digits, test_size=0.25, random_state=0
    )
    versions = {
        "1": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "2": KNeighborsClassifier(3),
    }
    for name, model in versions.items():
        model.fit(training, training_digits)
        bundle = {"model": model, "accuracy": round(float(model.score(held_out, held_out_digits)), 4)}
        joblib.dump(bundle, folder / f"digits-{name}.joblib")
    (folder / "samples.json").write_text(json.dumps(held_out[:SAMPLES].tolist()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
