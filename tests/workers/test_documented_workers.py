from pathlib import Path

from cheesebox.settings_loading import load_settings
from tests.web.test_documented_policies import example


def test_the_example_of_the_documentation_is_accepted(tmp_path):
    config = tmp_path / "cheesebox.toml"
    config.write_text(example("workers.md", "toml"))
    settings = load_settings(config, {"HOME": str(Path.home())}, {})
    assert settings.workers >= 1
