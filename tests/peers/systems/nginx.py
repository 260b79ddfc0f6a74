"""nginx serving a folder, with ranges and ETags, behind a password."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import debian, program
from tests.peers.process import free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "canary-of-nginx"
CONF = """\
daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log; worker_processes 1; {user}
events {{}}
http {{ access_log {dir}/access.log; client_body_temp_path {dir}/b; fastcgi_temp_path {dir}/f; proxy_temp_path {dir}/p;
 scgi_temp_path {dir}/s; uwsgi_temp_path {dir}/u; gzip on; gzip_types text/csv; gzip_min_length 1; types {{ text/csv csv; }}
 server {{ listen 127.0.0.1:{port}; root {dir}/files; auth_basic files; auth_basic_user_file {dir}/htpasswd;
  location /no-ranges/ {{ alias {dir}/files/; max_ranges 0; etag off; }}
  location /moved/ {{ return 302 http://127.0.0.1:9/; }} }} }}
"""


@dataclass(frozen=True)
class FileServer:
    """A running server of what is in `files`: below `url`, and without ranges below `url`/no-ranges."""

    folder: Path
    url: str

    @property
    def files(self) -> Path:
        """The folder that it serves."""
        return self.folder / "files"

    def asked(self) -> list[str]:
        """The lines of its log."""
        return (self.folder / "access.log").read_text().splitlines()


@contextmanager
def nginx(folder: Path) -> Iterator[FileServer]:
    """Nginx over a folder."""
    debian("nginx-light")
    (folder / "files").mkdir()
    port = free_port()
    (folder / "htpasswd").write_text(f"ada:{{PLAIN}}{PASSWORD}\n")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONF.format(dir=folder, port=port, user=user))
    command = [program("nginx"), "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"]
    with running(command, folder, lambda: listens(port)):
        yield FileServer(folder, f"http://127.0.0.1:{port}")
