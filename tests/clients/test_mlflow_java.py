"""MLflow's own Java client, and the Java that the documentation shows, against a fresh Maru. Needs a JDK and the client's jar: in the local
Maven repository (`mvn dependency:get -Dartifact=org.mlflow:mlflow-client:2.17.2`) or named by MARU_MLFLOW_JARS."""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

mlflow = pytest.importorskip("mlflow")
from conftest import Server  # noqa: E402

REPO = pathlib.Path(__file__).resolve().parents[2]
JARS = os.environ.get("MARU_MLFLOW_JARS") or ":".join(
    found[-1] for found in (sorted(glob.glob(str(pathlib.Path.home() / ".m2/repository" / path)))
                            for path in ("org/mlflow/mlflow-client/*/mlflow-client-*[0-9].jar", "org/slf4j/slf4j-api/1*/slf4j-api-*[0-9].jar")) if found)
pytestmark = [pytest.mark.skipif(shutil.which("javac") is None, reason="there is no Java compiler"),
              pytest.mark.skipif("mlflow-client" not in JARS, reason="there is no jar of MLflow's Java client")]

MORE = """
    String name = "java-" + System.nanoTime();
    String experiment = client.createExperiment(name);
    check(client.getExperimentByName(name).get().getExperimentId().equals(experiment), "by name");
    check(!client.getExperimentByName(name + "x").isPresent(), "no such name");
    String run = client.createRun(experiment).getRunId();
    client.logParam(run, "depth", "6");
    client.logMetric(run, "loss", 0.5, 1000L, 1L);
    client.logMetric(run, "loss", 0.25, 2000L, 2L);
    client.setTag(run, "언어", "자바");
    client.logBatch(run, null, java.util.Arrays.asList(Service.Param.newBuilder().setKey("a").setValue("").build()), null);
    check(client.getMetricHistory(run, "loss").size() == 2, "history");
    Service.Run seen = client.getRun(run);
    check(seen.getData().getMetrics(0).getValue() == 0.25, "latest");
    check(seen.getData().getParamsCount() == 2, "params");
    RunsPage page = client.searchRuns(java.util.Arrays.asList(experiment), "metrics.loss < 0.3 AND tags.언어 = '자바'", Service.ViewType.ACTIVE_ONLY, 10);
    check(page.getItems().size() == 1, "search");
    java.nio.file.Path file = java.nio.file.Files.createTempFile("maru", ".txt");
    java.nio.file.Files.write(file, "보고서".getBytes("UTF-8"));
    client.logArtifact(run, file.toFile(), "notes");
    check(client.listArtifacts(run, "notes").get(0).getFileSize() == 9, "artifacts");
    check(new String(java.nio.file.Files.readAllBytes(client.downloadArtifacts(run, "notes/" + file.getFileName()).toPath()), "UTF-8").equals("보고서"), "bytes");
    client.setTerminated(run);
    check(client.getRun(run).getInfo().getStatus() == Service.RunStatus.FINISHED, "end");
    client.deleteRun(run);
    client.restoreRun(run);
    client.renameExperiment(experiment, name + "-2");
    client.deleteExperiment(experiment);
    client.restoreExperiment(experiment);
    try {
      client.getRun("nosuchrun");
      check(false, "no such run");
    } catch (MlflowHttpException e) {
      check(e.getStatusCode() == 404, "404");
    }
"""


def run_java(folder, body):
    (folder / "Log.java").write_text("""import org.mlflow.api.proto.Service;
import org.mlflow.tracking.*;
public class Log {
  static void check(boolean good, String what) { if (!good) throw new IllegalStateException(what); }
  public static void main(String[] words) throws Exception {
""" + body + "  }\n}\n", encoding="utf-8")
    classpath = f"{JARS}:{folder}"
    # For artifacts the Java client runs `python -m mlflow`.
    env = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
    for command in (["javac", "-encoding", "UTF-8", "-cp", classpath, "Log.java"], ["java", "-Dfile.encoding=UTF-8", "-cp", classpath, "Log"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, cwd=folder, env=env, check=False)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.fixture
def fresh(tmp_path):
    running = Server(tmp_path / "home")
    yield running
    running.stop()


@pytest.mark.parametrize("page", ["docs/mlflow.md", "docs/ko/mlflow.md"])
def test_the_documented_lines(page, fresh, tmp_path):
    text = re.search(r"^```java\n(.*?)^```$", (REPO / page).read_text(), re.M | re.S).group(1)
    run_java(tmp_path, text.replace("http://127.0.0.1:7400", fresh.url))
    run = mlflow.MlflowClient(fresh.url).search_runs(["0"])[0]
    assert run.data.metrics == {"loss": 0.5} and run.data.params == {"depth": "6"} and run.info.status == "FINISHED"


def test_what_the_java_client_does(fresh, tmp_path):
    run_java(tmp_path, f'MlflowClient client = new MlflowClient("{fresh.url}");' + MORE)
