"""The files in deploy/ that start several nodes fit each other and what they start."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from cheesebox.adapters.valkey.connecting import shown
from cheesebox.commons.peers import PATH
from cheesebox.settings_loading import load_settings
from tests.web.nodes import shared_engines

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PORT = 6283
GB = 2**30
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "nodes.yaml").read_text()))
ALONE = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "cheesebox.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "nodes" / "compose.yaml").read_text())
NODES = {name: each for name, each in COMPOSE["services"].items() if name.startswith("node")}
NGINX = (DEPLOY / "nodes" / "nginx.conf").read_text()
DROP_IN = (DEPLOY / "systemd" / "cheesebox.service.d" / "node.conf").read_text()
SECRETS = {"VALKEY_PASSWORD": "a", "S3_ACCESS_KEY": "b", "S3_SECRET_KEY": "c"}
OURS = "CHEESEBOX_"


def manifest(kind, manifests=MANIFESTS):
    (found,) = [each for each in manifests if each["kind"] == kind]
    return found


def interpolated(text):
    """Write secrets into what docker compose reads."""
    return re.sub(r"\$\{(\w+):\?\}", lambda found: SECRETS[found[1]], text)


def settings_of(environment):
    ours = {name: interpolated(value) for name, value in environment.items() if name.startswith(OURS)}
    return load_settings(None, ours, {})


# ── Kubernetes


@pytest.fixture
def pod():
    return manifest("Deployment")["spec"]["template"]


@pytest.fixture
def container(pod):
    (container,) = pod["spec"]["containers"]
    return container


@pytest.fixture
def settings(tmp_path, container):
    """The settings of a pod: its file, its address, and the secret."""
    config = tmp_path / "cheesebox.toml"
    config.write_text(manifest("ConfigMap")["data"]["cheesebox.toml"])
    url = next(each["value"] for each in container["env"] if each["name"] == "CHEESEBOX_NODE_URL")
    environment = {
        "CHEESEBOX_NODE_URL": url.replace("$(POD_IP)", "10.0.0.7"),
        "CHEESEBOX_CATALOGUE": "valkeys://:PASSWORD@valkey.example:6379/0",
    }
    return load_settings(config, environment, {})


@pytest.mark.parametrize("each", MANIFESTS, ids=lambda each: each["kind"])
def test_kubernetes_takes_the_manifest(each):
    kubernetes_validate.validate(each, "1.30", strict=True)


def test_a_pod_is_a_node_that_others_reach_at_its_own_address(settings, container):
    assert settings.node_url.rstrip("/") == f"http://10.0.0.7:{PORT}"
    assert (settings.host, settings.port) == ("0.0.0.0", PORT)
    names = [each["name"] for each in container["env"]]
    assert names.index("POD_IP") < names.index("CHEESEBOX_NODE_URL")  # only what stands before is filled in
    assert settings.store.startswith("s3://")
    assert settings.shared_max_size


def test_secrets_come_from_a_secret_that_the_head_of_the_file_tells_how_to_make(container):
    text = (DEPLOY / "kubernetes" / "nodes.yaml").read_text()
    (reference,) = container["envFrom"]
    name = reference["secretRef"]["name"]
    made = re.search(rf"create secret generic {name}(.*?)kubectl apply", text, re.DOTALL)[1]
    assert set(re.findall(r"--from-literal=(\w+)", made)) == {
        "CHEESEBOX_CATALOGUE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
    assert "PASSWORD" not in json.dumps(MANIFESTS)


def test_what_a_node_keeps_near_fits_the_room_of_its_pod(pod, container, settings):
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts.values()) == set(volumes)
    assert volumes[mounts[str(settings.cache_dir)]]["emptyDir"]["sizeLimit"] == "20Gi"
    assert settings.max_size + settings.min_free < 20 * GB
    resources = container["resources"]
    assert resources["requests"]["ephemeral-storage"] == "20Gi"
    assert resources["limits"]["ephemeral-storage"] == "22Gi"
    assert settings.hot_size * 2 < 384 * 2**20
    assert resources["requests"]["memory"] == "384Mi"


def test_probes_and_scrapes_ask_what_a_node_answers_also_while_its_engines_are_away(
    pod, container, tmp_path, pypi
):
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    scraped = pod["metadata"]["annotations"]
    paths = {probe["path"] for probe in probes} | {scraped["prometheus.io/path"]}
    with shared_engines(tmp_path, pypi.simple_url) as engines:
        box = engines.node()
        engines.valkey.kill()
        assert {path: box.get(path).status for path in paths} == dict.fromkeys(paths, 200)
    assert container["ports"][0]["containerPort"] == PORT == int(scraped["prometheus.io/port"])


def test_pods_are_replaced_one_by_one_and_have_time_to_end(pod, container, settings):
    strategy = manifest("Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > pause + settings.shutdown_grace
    assert manifest("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_autoscaler_alone_says_how_many_there_are(pod):
    assert "replicas" not in manifest("Deployment")["spec"]
    spec = manifest("HorizontalPodAutoscaler")["spec"]
    deployment = manifest("Deployment")
    assert spec["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
    }
    assert spec["minReplicas"] >= 2
    assert "requests" in pod["spec"]["containers"][0]["resources"]


def test_the_metric_that_scales_is_one_that_is_exported(tmp_path, pypi):
    spec = manifest("HorizontalPodAutoscaler")["spec"]
    (name,) = [each["pods"]["metric"]["name"] for each in spec["metrics"] if each["type"] == "Pods"]
    series = name.removesuffix("_per_second") + "_total"
    assert f"'{series}{{" in (DEPLOY / "kubernetes" / "nodes.yaml").read_text()
    with shared_engines(tmp_path, pypi.simple_url) as engines:
        box = engines.node()
        box.get("/pypi/simple/absent/")
        assert f"# TYPE {series} counter" in box.get("/-/metrics").body.decode()


def test_everything_selects_the_pods_and_clients_find_the_service_where_it_was(pod):
    labels = pod["metadata"]["labels"]
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert manifest(kind)["spec"]["selector"]["matchLabels"] == labels
    assert manifest("Service")["spec"]["selector"] == labels
    assert manifest("Service") == manifest("Service", ALONE)
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels


# ── docker compose


def test_the_nodes_differ_in_their_url_and_their_disk_alone():
    assert len(NODES) >= 2
    for name, node in NODES.items():
        settings = settings_of(node["environment"])
        assert settings.node_url.rstrip("/") == f"http://{name}:{PORT}"
        assert node["volumes"] == [f"{name}:/var/cache/cheesebox"]
    shared = [
        {**node, "volumes": None, "environment": {**node["environment"], "CHEESEBOX_NODE_URL": None}}
        for node in NODES.values()
    ]
    assert all(each == shared[0] for each in shared)


def test_the_nodes_find_the_engines_of_the_composition_and_may_use_them():
    services = COMPOSE["services"]
    environment = {name: interpolated(text) for name, text in NODES["node1"]["environment"].items()}
    settings = settings_of(environment)
    assert shown(settings.catalogue) == "valkey://valkey:6379/0"
    assert f"--requirepass {SECRETS['VALKEY_PASSWORD']}" in interpolated(services["valkey"]["command"])
    assert f":{SECRETS['VALKEY_PASSWORD']}@" in settings.catalogue
    assert "--maxmemory-policy noeviction" in services["valkey"]["command"]
    assert settings.store_endpoint.rstrip("/") == "http://storage:8333"
    assert "-s3.port=8333" in services["storage"]["command"]
    (identity,) = json.loads(interpolated(COMPOSE["configs"]["s3"]["content"]))["identities"]
    assert identity["credentials"] == [
        {
            "accessKey": environment["AWS_ACCESS_KEY_ID"],
            "secretKey": environment["AWS_SECRET_ACCESS_KEY"],
        }
    ]
    bucket = settings.store.removeprefix("s3://").partition("/")[0]
    assert identity["actions"] == [f"{action}:{bucket}" for action in ("Read", "Write", "List")]
    assert f"s3.bucket.create -name {bucket}" in services["bucket"]["command"][0]


def test_no_secret_is_in_the_file_and_each_must_be_given():
    text = (DEPLOY / "nodes" / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?\}", text)) == SECRETS.keys()
    assert "${" not in interpolated(text)
    assert set(re.findall(r"(\w+)=…", text)) == SECRETS.keys()


def test_only_the_front_is_published_and_on_loopback_alone():
    published = {name: each["ports"] for name, each in COMPOSE["services"].items() if "ports" in each}
    (port,) = re.findall(r"listen (\d+);", NGINX)
    assert published == {"front": [f"127.0.0.1:{PORT}:{port}"]}
    volumes = {
        volume.partition(":")[0]
        for each in COMPOSE["services"].values()
        for volume in each.get("volumes", [])
        if not volume.startswith(".")
    }
    assert volumes == COMPOSE["volumes"].keys()


def test_the_front_leads_to_all_nodes_and_keeps_what_is_between_them_to_itself():
    assert set(re.findall(r"server (\w+):6283", NGINX)) == NODES.keys()
    assert f"location {PATH} {{" in NGINX
    (mounted,) = COMPOSE["services"]["front"]["volumes"]
    assert (DEPLOY / "nodes" / mounted.partition(":")[0]).is_file()


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed (Debian: nginx-light)")
def test_nginx_takes_its_configuration(tmp_path):
    here = re.sub(r"server node\d", "server 127.0.0.1", NGINX).replace("listen 8080", "listen 127.0.0.1:8080")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off;\n{here}\n}}"
    )
    command = ["nginx", "-t", "-p", str(tmp_path), "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


# ── image and systemd


def test_the_image_has_what_nodes_need():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert '"/source[s3,valkey]"' in dockerfile
    assert COMPOSE["x-node"]["build"] == {"context": "../..", "dockerfile": "deploy/Dockerfile"}
    context = (DEPLOY / "nodes" / COMPOSE["x-node"]["build"]["context"]).resolve()
    assert (context / "pyproject.toml").is_file()


def test_the_drop_in_makes_a_node_of_the_service():
    given = dict(re.findall(r"^Environment=(\w+)=(.*)$", DROP_IN, re.MULTILINE))
    secret = dict(re.findall(r"^# +(CHEESEBOX_\w+)=(.*)$", DROP_IN, re.MULTILINE))
    settings = load_settings(None, {**given, **secret} | {"CHEESEBOX_NODE_URL": "http://a.example:6283"}, {})
    assert given["CHEESEBOX_NODE_URL"] == f"http://%H:{PORT}"
    assert settings.store.startswith("s3://")
    assert secret.keys() == {"CHEESEBOX_CATALOGUE"}
    (file,) = re.findall(r"^EnvironmentFile=(.*)$", DROP_IN, re.MULTILINE)
    assert f"install --mode 600 /dev/null {file}" in DROP_IN
