"""`python -m bench.resolve_public`: uv resolving real packages against the public index, three ways.

Direct, through the nginx configuration that cheesebox supersedes, and through cheesebox. uv's cache is empty
and on tmpfs each time; both servers are warm: one run each goes before, uncounted. Their caches stay in
`.cache/public/resolve`, so that further runs ask little of the public index. `--backtrack` adds boto3,
whose 1,600 candidate wheels uv looks at; then nginx is left out, and direct runs once.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import machine
from bench.clients import uv_command, uv_environment
from bench.paths import REPOSITORY, TMPFS
from bench.peers.base import Running
from bench.peers.nginx import AS_PUBLISHED, MAIN, nginx_user
from bench.processes import free_port, spawn, wait_for_port
from bench.recording import REQUIREMENTS
from cheesebox.settings import PUBLIC_FILES, PUBLIC_UPSTREAM

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = REPOSITORY / ".cache" / "public" / "resolve"
INDEX_HOST, FILES_HOST = (urlsplit(url).netloc for url in (PUBLIC_UPSTREAM, PUBLIC_FILES))
BACKTRACK = "boto3"
DIRECT, NGINX, CHEESEBOX = "direct", "nginx", "cheesebox"

# As its users run it, with what today's clients and TLS by name need.
SERVER = """\
    proxy_cache pypi; proxy_cache_key $uri; proxy_cache_lock on;
    proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
    proxy_http_version 1.1; proxy_ssl_server_name on;
    location ^~ /pypi/simple {
      rewrite ^(.*[^/])$ $1/ permanent;
      proxy_set_header Host INDEX; proxy_set_header Connection ""; proxy_set_header Accept-Encoding "";
      proxy_set_header Accept text/html; proxy_ssl_name INDEX;
      proxy_redirect /simple /pypi/simple;
      sub_filter 'https://INDEX' $scheme://$http_host/pypi;
      sub_filter 'https://FILES/packages' $scheme://$http_host/pypi/packages;
      sub_filter '/simple' /pypi/simple; sub_filter_once off;
      proxy_cache_valid any 5m;
      proxy_pass https://pypi/simple;
    }
    location ^~ /pypi/packages/ {
      proxy_set_header Host FILES; proxy_set_header Connection ""; proxy_set_header Accept-Encoding "";
      proxy_ssl_name FILES;
      proxy_cache_valid any 1M;
      proxy_pass https://pythonhosted/packages/;
    }
""".replace("INDEX", INDEX_HOST).replace("FILES", FILES_HOST)
FILES_UPSTREAM = (
    f"upstream pythonhosted {{ server {FILES_HOST}:443; server {FILES_HOST}:443; keepalive 16; }}\n"
)


@dataclass(frozen=True, slots=True)
class Options:
    """`pairs` of runs; `requirements` to resolve."""

    pairs: int
    requirements: tuple[str, ...]
    backtracks: bool


def main() -> int:
    options = _options()
    machine.pin_load()
    with tempfile.TemporaryDirectory(prefix="cheesebox-resolve-") as folder:
        print(_measured(options, Path(folder)))
    return 0


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m bench.resolve_public", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--backtrack", action="store_true", help="add boto3; no nginx, direct once")
    asked = parser.parse_args()
    extra = (BACKTRACK,) if asked.backtrack else ()
    return Options(asked.pairs, (*REQUIREMENTS, *extra), asked.backtrack)


def _measured(options: Options, home: Path) -> str:
    """Run all ways in turn and give a report; the servers are stopped whatever happens."""
    cheesebox = _cheesebox(home / CHEESEBOX)
    servers = {CHEESEBOX: cheesebox} | ({} if options.backtracks else {NGINX: _nginx(home / NGINX)})
    ways: dict[str, Callable[[], float]] = {
        name: _Resolve(options.requirements, server.index).run for name, server in servers.items()
    }
    try:
        warming = {name: run() for name, run in ways.items()}
        offset = (home / CHEESEBOX / "log").stat().st_size
        ways[DIRECT] = _Resolve(options.requirements, PUBLIC_UPSTREAM).run
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(options.pairs):
            for name, run in ways.items():
                if not (options.backtracks and name == DIRECT and number):
                    times[name].append(run())
    finally:
        for server in servers.values():
            server.process.stop()
    log = (home / CHEESEBOX / "log").read_bytes()[offset:].decode()
    return _report(times, warming, _asked(log))


@dataclass(frozen=True, slots=True)
class _Resolve:
    requirements: tuple[str, ...]
    index: str

    def run(self) -> float:
        """Return the seconds of one resolve, its cache new and empty."""
        with tempfile.TemporaryDirectory(dir=TMPFS, prefix="cheesebox-resolve-") as folder:
            work = Path(folder)
            (work / "requirements.in").write_text("\n".join(self.requirements) + "\n")
            command = [
                *uv_command(),
                "pip",
                "compile",
                "requirements.in",
                "-o",
                "out.txt",
                "-q",
                "--no-config",
            ]
            command += ["--no-annotate", "--no-header", "--only-binary", ":all:", "--python", sys.executable]
            command += ["--default-index", self.index, "--cache-dir", str(work / "cache")]
            start = time.perf_counter()
            subprocess.run(command, check=True, env=uv_environment(), cwd=work)
            seconds = time.perf_counter() - start
            print(
                f"  {self.index}: {len((work / 'out.txt').read_text().split())} packages in {seconds:.2f} s"
            )
            return seconds


def _cheesebox(home: Path) -> Running:
    home.mkdir()
    port = free_port()
    command = [str(Path(sys.executable).parent / "cheesebox"), "serve", "--port", str(port)]
    command += ["--cache-dir", str(CACHE / CHEESEBOX)]
    process = spawn(command, home)
    wait_for_port(process, port)
    origin = f"http://127.0.0.1:{port}"
    return Running(CHEESEBOX, home, process, f"{origin}/pypi/simple/", None)


def _nginx(home: Path) -> Running:
    home.mkdir()
    port, cache = free_port(), CACHE / NGINX
    cache.mkdir(parents=True, exist_ok=True)
    configuration = home / "nginx.conf"
    text = MAIN.format(
        home=home,
        upstream=f"{INDEX_HOST}:443",
        port=port,
        user=nginx_user(),
        server=SERVER,
        tuning=FILES_UPSTREAM + AS_PUBLISHED.format(home=home),
        cache_options="",
    )
    configuration.write_text(text.replace(f"proxy_cache_path {home}/cache", f"proxy_cache_path {cache}"))
    process = spawn(["nginx", "-c", str(configuration), "-p", str(home)], home)
    wait_for_port(process, port)
    origin = f"http://127.0.0.1:{port}"
    return Running(NGINX, home, process, f"{origin}/pypi/simple/", None)


_LINE = re.compile(r"(?:GET|HEAD) \S*/pypi/(\S+)")


def _asked(log: str) -> Counter[str]:
    """Count the requests that cheesebox answered by what they asked for."""
    kinds: Counter[str] = Counter()
    for path in _LINE.findall(log):
        kind = "metadata" if path.endswith(".metadata") else "wheels" if path.endswith(".whl") else "pages"
        kinds[kind] += 1
    return kinds


def _report(times: dict[str, list[float]], warming: dict[str, float], asked: Counter[str]) -> str:
    ours = statistics.median(times[CHEESEBOX])
    lines = [f"first run, whatever was cached: {name} {seconds:.2f} s" for name, seconds in warming.items()]
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        lines.append(f"{name}: median {middle:.2f} s, {min(seconds):.2f} to {max(seconds):.2f} s")
        if name != CHEESEBOX:
            lines.append(f"  cheesebox / {name}: {ours / middle:.2f}")
    runs = len(times[CHEESEBOX])
    told = ", ".join(f"{count / runs:.0f} {kind}" for kind, count in sorted(asked.items()))
    lines.append(f"cheesebox answered, in each run: {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
