"""The files in deploy/ fit what they start: settings are accepted, ports and probed paths exist."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from cheesebox.settings_loading import load_settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PORT = 6283
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "cheesebox.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["cheesebox"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def manifest(kind):
    (found,) = [each for each in MANIFESTS if each["kind"] == kind]
    return found


@pytest.fixture
def pod():
    return manifest("Deployment")["spec"]["template"]


def image_environment():
    """The variables that the image sets."""
    lines = re.search(r"^ENV (.*?)(?<!\\)$", DOCKERFILE, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"(\w+)=(\S+)", lines))


@pytest.mark.parametrize("each", MANIFESTS, ids=lambda each: each["kind"])
def test_kubernetes_takes_the_manifest(each):
    kubernetes_validate.validate(each, "1.30", strict=True)


def test_the_settings_of_the_manifest_are_accepted(tmp_path):
    config = tmp_path / "cheesebox.toml"
    config.write_text(manifest("ConfigMap")["data"]["cheesebox.toml"])
    settings = load_settings(config, {}, {})
    assert (settings.host, settings.port) == ("0.0.0.0", PORT)
    claimed = manifest("PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"]
    assert claimed == "60Gi"
    assert settings.max_size + settings.min_free < 60 * 2**30


def test_the_pod_mounts_what_its_settings_name(pod):
    (container,) = pod["spec"]["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert set(mounts.values()) == volumes
    assert mounts["/var/cache/cheesebox"] == "cache"
    assert container["args"][-1].startswith("/etc/cheesebox/")
    assert container["args"][-1].rpartition("/")[2] in manifest("ConfigMap")["data"]


def test_probes_ask_what_the_server_answers_and_metrics_are_where_they_are_scraped(pod, box):
    (container,) = pod["spec"]["containers"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    scraped = pod["metadata"]["annotations"]
    for path in {probe["path"] for probe in probes} | {scraped["prometheus.io/path"]}:
        assert box.get(path).status == 200
    assert container["ports"][0]["containerPort"] == PORT == int(scraped["prometheus.io/port"])
    assert {probe["port"] for probe in probes} == {container["ports"][0]["name"]}


def test_there_is_one_pod_at_a_time_since_one_program_has_a_cache_directory():
    spec = manifest("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")


def test_the_pod_outlives_the_grace_of_its_server(pod):
    assert pod["spec"]["terminationGracePeriodSeconds"] > load_settings(None, {}, {}).shutdown_grace
    assert int(COMPOSE["stop_grace_period"].removesuffix("s")) > load_settings(None, {}, {}).shutdown_grace


def test_the_variables_of_image_and_composition_are_accepted():
    settings = load_settings(None, image_environment() | COMPOSE["environment"], {})
    assert (settings.host, settings.port) == ("0.0.0.0", PORT)
    assert str(settings.cache_dir) == "/var/cache/cheesebox"
    assert settings.max_size == 50 * 10**9


def test_the_composition_keeps_the_cache_and_publishes_on_loopback_alone():
    assert COMPOSE["volumes"] == ["cache:/var/cache/cheesebox"]
    assert COMPOSE["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert (DEPLOY / COMPOSE["build"]["context"] / COMPOSE["build"]["dockerfile"]).is_file()


def test_the_image_runs_as_nobody_special_and_probes_readiness():
    assert re.search(r"^USER \d+$", DOCKERFILE, re.MULTILINE)
    assert f"http://127.0.0.1:{PORT}/-/ready" in DOCKERFILE
    assert re.search(rf"^EXPOSE {PORT}$", DOCKERFILE, re.MULTILINE)
