"""Git's own servers: git-http-backend behind nginx over HTTPS with a password, and git over OpenSSH's sshd with a key.

Both run one wrapper for what they serve, so that a test can have an answer cut short or never come.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.peers.install import debian, program
from tests.peers.pki import SERVER, Authority
from tests.peers.process import free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("nginx-light", "fcgiwrap", "openssh-server", "openssh-client")
PASSWORD = "canary-of-git"

NGINX = """\
daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log; worker_processes 1; {user}
events {{}}
http {{ access_log off; client_body_temp_path {dir}/b; fastcgi_temp_path {dir}/f; proxy_temp_path {dir}/p;
 scgi_temp_path {dir}/s; uwsgi_temp_path {dir}/u;
 server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
  location ~ ^/moved(/.*)$ {{ return 301 {elsewhere}$1?$args; }}
  location ~ ^/git(/.*)$ {{ auth_basic git; auth_basic_user_file {dir}/htpasswd; include /etc/nginx/fastcgi_params;
   fastcgi_read_timeout 600; fastcgi_buffering off;
   fastcgi_param SCRIPT_FILENAME {dir}/serve; fastcgi_param GIT_PROJECT_ROOT {dir}/repositories;
   fastcgi_param GIT_HTTP_EXPORT_ALL ""; fastcgi_param REMOTE_USER $remote_user; fastcgi_param PATH_INFO $1;
   fastcgi_pass unix:{dir}/fcgi.sock; }}
 }} }}
"""
SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {dir}/host
AuthorizedKeysFile {dir}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
LogLevel ERROR
"""
# `cut` ends an answer after so many bytes, `hang` never gives one.
WRAPPER = """\
#!/bin/sh
fault="$(cat {dir}/fault)"
case "$fault/$REQUEST_METHOD" in
hang/*) exec sleep 60 ;;
cut/GET) ;;
cut/*) {command} 2>/dev/null | (stdbuf -o0 head -c 200000; kill -9 $$) ;;
esac
{command}
"""


@dataclass(frozen=True)
class GitServer:
    """A running server. `bin` goes first on the PATH of who is to know its certificate or host key, and its key."""

    folder: Path
    url: str
    bin: Path

    def repository(self, name: str) -> Path:
        """A new bare repository that it serves."""
        path = self.folder / "repositories" / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True)
        return path

    def address(self, name: str) -> str:
        """Its URL."""
        return f"{self.url}/{name}.git"

    def fault(self, kind: Literal["", "cut", "hang"]) -> None:
        """What happens to further answers."""
        (self.folder / "fault").write_text(kind)

    def knowing(self, what: str) -> None:
        """Writes what its clients know of it: known_hosts, or the certificates of authorities."""
        (self.bin / "known").write_text(what)


def _prepared(folder: Path, command: str) -> Path:
    (folder / "repositories").mkdir()
    (folder / "bin").mkdir()
    (folder / "fault").write_text("")
    _script(folder / "serve", WRAPPER.format(dir=folder, command=command))
    return folder / "bin"


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@contextmanager
def git_https(folder: Path, elsewhere: str = "https://127.0.0.1:9") -> Iterator[GitServer]:
    """git-http-backend over HTTPS; its certificate is of an authority of its own. /moved sends on to `elsewhere`."""
    debian(*PACKAGES)
    bin_ = _prepared(folder, "git http-backend")
    authority = Authority(folder / "pki")
    files, port = authority.issue(SERVER), free_port()
    (folder / "htpasswd").write_text(f"git:{{PLAIN}}{PASSWORD}\n")
    # git has a variable for what is a file of authorities' certificates; the daemon passes none on, so that it goes in
    # between, where a machine has its own trust store.
    _script(bin_ / "git", f'#!/bin/sh\nGIT_SSL_CAINFO={bin_}/known exec {program("git")} "$@"\n')
    user = "user root;" if os.geteuid() == 0 else ""
    config = NGINX.format(
        dir=folder, user=user, port=port, certificate=files.certificate, key=files.key, elsewhere=elsewhere
    )
    (folder / "nginx.conf").write_text(config)
    socket = folder / "fcgi.sock"
    wrapping = [program("fcgiwrap"), "-c", "4", "-s", f"unix:{socket}"]
    serving = [program("nginx"), "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"]
    with running(wrapping, folder, socket.exists), running(serving, folder, lambda: listens(port)):
        server = GitServer(folder, f"https://127.0.0.1:{port}/git", bin_)
        server.knowing(authority.ca.read_text())
        yield server


@contextmanager
def git_ssh(folder: Path) -> Iterator[GitServer]:
    """Git over sshd, as the user of the tests; its host key and the key that it lets in are made here."""
    debian(*PACKAGES)
    bin_ = _prepared(folder, 'eval "$SSH_ORIGINAL_COMMAND"')
    for name in ("host", "user", "stranger"):
        command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    login = (folder / "user.pub").read_text()
    (folder / "authorized_keys").write_text(f'restrict,command="{folder}/serve" {login}')
    port = free_port()
    (folder / "sshd.conf").write_text(SSHD.format(port=port, dir=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    # ssh has its settings from the account's home folder, which is not the tests' to write.
    (bin_ / "config").write_text(
        f"IdentitiesOnly yes\nIdentityAgent none\nIdentityFile {bin_}/key\nUserKnownHostsFile {bin_}/known\n"
        "GlobalKnownHostsFile /dev/null\n"
    )
    _script(bin_ / "ssh", f'#!/bin/sh\nexec {program("ssh")} -F {bin_}/config "$@"\n')
    with running([program("sshd"), "-D", "-e", "-f", folder / "sshd.conf"], folder, lambda: listens(port)):
        account = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        server = GitServer(folder, f"ssh://{account}@127.0.0.1:{port}{folder}/repositories", bin_)
        server.knowing(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        login_with(server, "user")
        yield server


def login_with(server: GitServer, name: str) -> None:
    """Which of the keys its clients have: `user`, who is let in, or a `stranger`."""
    key = server.bin / "key"
    key.unlink(missing_ok=True)
    key.write_bytes((server.folder / name).read_bytes())
    key.chmod(0o600)
