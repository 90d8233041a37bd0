"""The example of docs/static.md, run."""

from __future__ import annotations

from tests.web.running import run_app
from tests.web.test_documented_policies import example


def test_the_example_of_static_files_does_what_it_says(tmp_path):
    www, downloads = tmp_path / "www", tmp_path / "downloads"
    www.mkdir()
    downloads.mkdir()
    (www / "index.html").write_text("<h1>Welcome</h1>")
    (downloads / "tool.bin").write_bytes(b"\0\1")
    text = (
        example("static.md", "toml").replace("/var/www", str(www)).replace("/srv/downloads", str(downloads))
    )
    config = tmp_path / "cheesebox.toml"
    config.write_text(text)
    with run_app(tmp_path / "cache", "http://127.0.0.1:9/simple/", config=config) as site:
        assert site.get("/").body == b"<h1>Welcome</h1>"
        assert b'<a href="tool.bin">' in site.get("/downloads/").body
        assert site.get("/downloads/tool.bin", range="bytes=1-").body == b"\1"
        assert site.get("/pypi/simple")["location"] == "simple/"
