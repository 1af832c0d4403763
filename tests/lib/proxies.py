"""nginx and HAProxy from Debian, each on a port and in a folder of its own."""
import os
import re
import signal
import subprocess
from pathlib import Path

from . import ports
from .http import Closed, Connection, wait_until
from .process import die_with_parent

CONFIG = Path(__file__).resolve().parents[2] / "config"

NGINX_FRAME = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log {folder}/access.log;
{inner}
}}
"""

# As someone who has read no word of ours would write them; the short timeouts are the test's.
NGINX_PLAIN = """
    gzip on;
    server {{
        listen {listen};
        proxy_read_timeout {timeout};
        location / {{ proxy_pass http://{upstream}; }}
    }}
"""

HAPROXY_PLAIN = """
global
    maxconn 1000
defaults
    mode http
    timeout connect 5000
    timeout client {timeout}
    timeout server {timeout}
frontend in
    bind {listen}
    default_backend out
backend out
{servers}
"""


class Proxy:
    """Serves as a `server` of lib.server for whoever only needs its address."""

    def __init__(self, folder, plain):
        self.folder, self.plain = Path(folder), plain
        self.held = ports.hold()
        self.address = self.held.getsockname()
        self.process = None

    @property
    def listen(self):
        return f"{self.address[0]}:{self.address[1]}"

    def start(self, command):
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, preexec_fn=die_with_parent)
        wait_until(self.answers, f"{command[0]} answers")
        return self

    def answers(self):
        assert self.process.poll() is None, (self.folder / "output").read_text()
        try:
            with Connection(self.address) as connection:
                return connection.request("GET", "/healthz").status == 200
        except (OSError, Closed):
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.held.close()


def upstreams(server):
    return [f"{host}:{port}" for host, port in server.addresses]


def nginx(folder, server, timeout=None):
    """With our sample configuration, or, given a timeout, with a plain one."""
    proxy = Proxy(folder, bool(timeout))
    proxy.folder.mkdir(parents=True)
    if timeout:
        inner = NGINX_PLAIN.format(listen=proxy.listen, timeout=timeout,
                                   upstream=upstreams(server)[0])
    else:
        inner = (CONFIG / "nginx.conf").read_text()
        inner = inner.replace("listen 80;", f"listen {proxy.listen};")
        inner = inner.replace("/var/log/nginx/tidings.log", f"{proxy.folder}/access.log")
        line = re.search(r"\n( *server )127\.0\.0\.1:8080(.*)", inner)
        inner = inner.replace(line[0], "".join(f"\n{line[1]}{upstream}{line[2]}"
                                               for upstream in upstreams(server)))
    file = proxy.folder / "nginx.conf"
    file.write_text(("user root;\n" if os.geteuid() == 0 else "") +
                    NGINX_FRAME.format(folder=proxy.folder, inner=inner))
    return proxy.start(["nginx", "-c", str(file), "-p", str(proxy.folder)])


def haproxy(folder, server, timeout=None):
    proxy = Proxy(folder, bool(timeout))
    proxy.folder.mkdir(parents=True)
    if timeout:
        servers = "\n".join(f"    server s{number} {upstream}"
                            for number, upstream in enumerate(upstreams(server)))
        text = HAPROXY_PLAIN.format(listen=proxy.listen, timeout=timeout, servers=servers)
    else:
        text = (CONFIG / "haproxy.cfg").read_text().replace("bind :80", f"bind {proxy.listen}")
        text = text.replace("maxconn 20000", "maxconn 1000")
        text = text.replace("log /dev/log local0", "log stdout format raw local0")
        text = text.replace("    server one 127.0.0.1:8080", "\n".join(
            f"    server s{number} {upstream}" for number, upstream in
            enumerate(upstreams(server))))
    file = proxy.folder / "haproxy.cfg"
    file.write_text(text)
    return proxy.start(["haproxy", "-db", "-f", str(file)])
