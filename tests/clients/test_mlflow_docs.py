"""The Python and curl that docs/mlflow.md shows, run as they stand against a fresh Maru."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

mlflow = pytest.importorskip("mlflow")
from conftest import Server  # noqa: E402

REPO = pathlib.Path(__file__).resolve().parents[2]
ENV = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}


def fences(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (REPO / page).read_text(), re.M | re.S)


@pytest.mark.parametrize("page", ["docs/mlflow.md", "docs/ko/mlflow.md"])
def test_page(page, tmp_path):
    server = Server(tmp_path / "home")
    before = mlflow.get_tracking_uri()
    try:
        for language, command in (("python", [sys.executable, "-c"]), ("bash", ["bash", "-euc"])):
            texts = fences(page, language)
            assert texts, f"{page} has no {language}"
            for text in texts:
                done = subprocess.run([*command, text.replace("http://127.0.0.1:7400", server.url)], capture_output=True, text=True, timeout=120,
                                      cwd=tmp_path, env=ENV, check=False)
                assert done.returncode == 0, f"{page}, {language}:\n{done.stdout}\n{done.stderr}"
        mlflow.set_tracking_uri(server.url)  # a client of MLflow 2 asks the global address for artifacts, whatever its own is
        client = mlflow.MlflowClient()
        by_python = client.search_runs([e.experiment_id for e in client.search_experiments() if e.name != "Default"])
        by_hand = client.search_runs(["0"])
        assert len(by_python) == len(by_hand) == 1
        assert len(client.get_metric_history(by_python[0].info.run_id, "loss")) == 100
        assert by_hand[0].data.metrics == {"loss": 0.5} and by_hand[0].info.status == "FINISHED"
        for run in (by_python[0], by_hand[0]):
            assert [f.is_dir for f in client.list_artifacts(run.info.run_id)] == [True]
    finally:
        mlflow.set_tracking_uri(before)
        server.stop()
