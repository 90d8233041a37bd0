"""nginx in five ways: the configuration that cheesebox supersedes, and the best that nginx can do.

One worker; cache and logs lie under the peer's own folder; the access log is buffered, as published. The
superseded configuration keeps its settings, and is told once more without sendfile, which harms it; the two
best ones get everything that helps them.
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.peers.base import Running, Site
from bench.processes import free_port, spawn, wait_for_port

MAIN = """\
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log warn; {user}
events {{ worker_connections 4096; }}
http {{
  default_type application/octet-stream;
  client_body_temp_path {home}/body; proxy_temp_path {home}/temp; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  proxy_cache_path {home}/cache levels=1:2 keys_zone=pypi:16m inactive=1M max_size=50G{cache_options};
  upstream pypi {{ server {upstream}; server {upstream}; keepalive 16; }}
  keepalive_requests 1000000;
  {tuning}
  server {{
    listen 127.0.0.1:{port};
{server}
  }}
}}
"""

# The rewriting configuration; `Accept text/html` and `$http_host` make it work with today's clients.
SUPERSEDED = """\
    proxy_cache pypi; proxy_cache_key $uri; proxy_cache_lock on;
    proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
    proxy_http_version 1.1;
    proxy_set_header Host $proxy_host; proxy_set_header Connection ""; proxy_set_header Accept-Encoding "";
    proxy_set_header Accept text/html;
    proxy_redirect /simple /pypi/simple;
    location ^~ /pypi/simple {{
      rewrite ^(.*[^/])$ $1/ permanent;
      sub_filter 'http://{upstream}/packages' $scheme://$http_host/pypi/packages;
      sub_filter '/simple' /pypi/simple; sub_filter_once off;
      {filters}
      add_header X-Cache2 $upstream_cache_status;
      proxy_cache_valid any 5m;
      proxy_pass http://pypi/simple;
    }}
    location ^~ /pypi/packages/ {{
      add_header X-Cache2 $upstream_cache_status;
      proxy_set_header Connection ""; proxy_set_header Accept-Encoding "";
      proxy_cache_valid any 1M;
      proxy_pass http://pypi/packages/;
    }}
"""

# Plain caching of bodies that come compressed and rewritten already: the canned answers of the upstream.
PLAIN = """\
    proxy_cache pypi; proxy_cache_key $uri; proxy_cache_lock on;
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Accept-Encoding $http_accept_encoding;
    proxy_cache_valid any 1M;
    location /pypi/packages/ { proxy_pass http://pypi/packages/; }
    location / { proxy_pass http://pypi/canned/; }
"""

STATIC = """\
    root {home}/static;
    location /pypi/simple/ {{
      types {{ }} default_type application/vnd.pypi.simple.v1+json; index index.json; gzip_static on;
    }}
"""

LOG = """
  access_log {home}/access.log combined buffer=64k flush=1s;"""
OPEN_FILES = "open_file_cache max=20000 inactive=10m; open_file_cache_valid 10m; open_file_cache_min_uses 1;"
# As published for the rewriting configuration.
AS_PUBLISHED = "sendfile on; tcp_nopush off;" + LOG
# Rewritten pages are many small pieces, which sendfile sends one by one.
WITHOUT_SENDFILE = "sendfile off;" + LOG
# Measured best for bodies of these sizes out of the cache: reading beats sendfile, and pushing late stalls.
BEST_CACHE = "sendfile off; output_buffers 2 256k; " + OPEN_FILES + LOG
BEST_STATIC = "sendfile on; tcp_nopush on; " + OPEN_FILES + LOG


@dataclass(frozen=True, slots=True)
class Nginx:
    """One of the configurations."""

    id: str
    title: str
    server: str
    tuning: str
    cache_options: str = " use_temp_path=off"
    filters: str = ""

    def version(self) -> str:
        told = subprocess.run(["nginx", "-v"], check=True, capture_output=True, text=True).stderr
        found = re.search(r"nginx/(\S+)", told)
        return found[1] if found else told.strip()

    def start(self, site: Site) -> Running:
        port = free_port()
        (site.home / "static" / "pypi").mkdir(parents=True)
        configuration = site.home / "nginx.conf"
        configuration.write_text(self._configuration(site, port))
        process = spawn(["nginx", "-c", str(configuration), "-p", str(site.home)], site.home)
        wait_for_port(process, port)
        origin = f"http://127.0.0.1:{port}"
        return Running(self.id, site.home, process, f"{origin}/pypi/simple/", f"{origin}/pypi")

    def _configuration(self, site: Site, port: int) -> str:
        upstream = urlsplit(site.upstream).netloc
        server = (
            self.server
            if self.server == PLAIN
            else self.server.format(home=site.home, upstream=upstream, filters=self.filters)
        )
        return MAIN.format(
            home=site.home,
            upstream=upstream,
            port=port,
            user=nginx_user(),
            server=server,
            tuning=self.tuning.format(home=site.home),
            cache_options=self.cache_options,
        )


def nginx_user() -> str:
    """Keep the worker's rights when the master is root: the cache lies in this user's folders."""
    return f"user {getpass.getuser()};" if os.geteuid() == 0 else ""


GZIP = "gzip on; gzip_types text/html application/json; gzip_proxied any;"
ALL = (
    Nginx("nginx-sub", "nginx (a) sub_filter", SUPERSEDED, AS_PUBLISHED, ""),
    Nginx("nginx-sub-memory", "nginx (a), sendfile off", SUPERSEDED, WITHOUT_SENDFILE, ""),
    Nginx("nginx-sub-gzip", "nginx (b) sub_filter, gzip", SUPERSEDED, AS_PUBLISHED, "", GZIP),
    Nginx("nginx-plain", "nginx (c) plain proxy_cache", PLAIN, BEST_CACHE),
    Nginx("nginx-static", "nginx (d) static, sendfile", STATIC, BEST_STATIC),
)
