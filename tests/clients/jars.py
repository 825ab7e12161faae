"""Java servers of the tests, out of the local Maven repository: `mvn dependency:get -Dartifact=GROUP:NAME:VERSION` once, then no network."""
import os
import pathlib
import shutil
import subprocess
import tempfile

KAFKA = "org.apache.kafka:kafka_2.13:3.7.1"
S3PROXY = "org.gaul:s3proxy:2.1.0"


def classpath(artifact):
    """The jars that `artifact` needs; None, with the reason printed, when they are not there"""
    group, name, version = artifact.split(":")
    jar = pathlib.Path.home() / ".m2/repository" / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    if not jar.exists() or shutil.which("mvn") is None or shutil.which("java") is None:
        print(f"left out: no {artifact} (mvn dependency:get -Dartifact={artifact})")
        return None
    with tempfile.TemporaryDirectory() as folder:
        pom = os.path.join(folder, "pom.xml")
        with open(pom, "w", encoding="utf-8") as file:
            file.write(f"<project><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version><dependencies>"
                       f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
                       f"</dependencies></project>")
        out = os.path.join(folder, "classpath")
        # Offline first: nothing is asked for when all is there; the plugin itself may have to be fetched once.
        for offline in (["-o"], []):
            done = subprocess.run(["mvn", *offline, "-q", "-f", pom, "dependency:build-classpath", f"-Dmdep.outputFile={out}"],
                                  capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
        else:
            print(f"left out: {artifact}: {done.stdout[-300:]}")
            return None
        with open(out, encoding="utf-8") as file:
            return file.read().strip()
