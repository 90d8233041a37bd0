"""The examples of docs/offline.md, run."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib

import pytest

from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.web.test_documented_policies import example


def test_the_setting_of_the_example_asks_nobody_and_answers_as_documented(launch, pypi):
    pypi.add_wheel("demo", "1.0")
    (setting,) = tomllib.loads(example("offline.md", "toml")).items()
    box = launch(**{setting[0]: str(setting[1]).lower()})
    answer = box.get("/pypi/simple/demo/")
    document = json.loads(example("offline.md", "json").replace("https://pypi.org/simple/", pypi.simple_url))
    assert json.loads(answer.body) == document
    assert answer.status == document["status"]
    assert pypi.count("*") == 0


@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_option_and_the_variable_do_the_same(pypi, tmp_path, how):
    args, env = (
        ("--offline",) if how == "option" else (),
        {} if how == "option" else {"CHEESEBOX_OFFLINE": "1"},
    )
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache", *args, env=env) as box:
        box.wait_for_line("offline: no upstream is asked, what is in the cache is served")


def test_the_commands_of_the_example_switch_there_and_back(pypi, tmp_path):
    go_offline, go_online = example("offline.md", "sh").splitlines()
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache") as box:
        environ = {**os.environ, "PID": str(box.pid)}
        subprocess.run(["sh", "-c", go_offline], env=environ, check=True, timeout=30)
        box.wait_for_line("offline: no upstream is asked, what is in the cache is served")
        subprocess.run(["sh", "-c", go_online], env=environ, check=True, timeout=30)
        box.wait_for_line("online: upstreams are asked again")
