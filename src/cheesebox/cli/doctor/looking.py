"""Facts about this machine: the cache directory, limits, configuration files, the configured address."""

from __future__ import annotations

import fcntl
import http.client
import os
import resource
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.cli.config.address import root_url
from cheesebox.cli.doctor.directory import Claim, DirectoryFacts, Space
from cheesebox.cli.doctor.installers import Installer, Text, read_pip, read_uv
from cheesebox.cli.doctor.server import Listener
from cheesebox.cli.places import pip_files, uv_files
from cheesebox.cli.probe import connection_to
from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import PurePath

    from cheesebox.cli.places import Surroundings
    from cheesebox.settings import Settings

_PORTS = {"http": 80, "https": 443}
_TAG, _LOCK, _CATALOGUE = "CACHEDIR.TAG", ".lock", "catalogue.sqlite"


def look_at_directory(path: Path) -> DirectoryFacts:
    """Look at the cache directory. What is tried is tried in a folder that is removed again."""
    there = next(folder for folder in (path, *path.parents) if folder.is_dir())
    claim = _claim(path)
    writing = renaming = locking = None
    if claim is not Claim.FOREIGN:
        writing, renaming, locking = _try_out(there) if there == path else (_access(there), None, None)
    return DirectoryFacts(
        path=path,
        claim=claim,
        writing=writing,
        renaming=renaming,
        locking=locking,
        is_locked=_is_locked(path / _LOCK),
        space=_space(there),
        stored=_stored(path / _CATALOGUE),
    )


def _claim(path: Path) -> Claim:
    try:
        names = {entry.name for entry in path.iterdir()} - {"lost+found"}
        if not names:
            return Claim.NOTHING
        ours = _TAG in names and "cheesebox" in (path / _TAG).read_text(errors="replace")
    except FileNotFoundError:
        return Claim.NOTHING
    except OSError:  # trying it out tells why
        return Claim.FOREIGN if path.exists() and not path.is_dir() else Claim.NOTHING
    return Claim.OURS if ours else Claim.FOREIGN


def _access(folder: Path) -> str | None:
    return None if os.access(folder, os.W_OK | os.X_OK) else f"no right to write in {folder}"


def _try_out(folder: Path) -> tuple[str | None, str | None, str | None]:
    """Give why writing, renaming and locking do not work there."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as name:
            probe = Path(name, "probe")
            probe.write_bytes(b"probe")
            return (
                None,
                _reason(lambda: probe.replace(probe.with_name("renamed"))),
                _reason(lambda: _lock(name)),
            )
    except OSError as error:
        return error.strerror or str(error), None, None


def _reason(action: Callable[[], object]) -> str | None:
    try:
        action()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _lock(folder: str) -> None:
    with Path(folder, "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _space(folder: Path) -> Space:
    state = os.statvfs(folder)
    return Space(state.f_bavail * state.f_frsize, state.f_files, state.f_favail)


def _stored(path: Path) -> int:
    """Give what the catalogue knows, bytes; 0 where it cannot be read: the server makes a new one then."""
    if not path.is_file() or not os.access(path, os.W_OK):
        return 0
    try:
        catalogue = SqliteCatalogue(path)
    except StoreError:
        return 0
    try:
        return catalogue.totals().size
    finally:
        catalogue.close()


def look_at_secrets(settings: Settings) -> Iterator[tuple[Path, int]]:
    """Give the files of secrets, each with its mode."""
    for index in settings.indexes:
        for path in (index.password_file, index.token_file, index.client_key):
            if path is not None and path.exists():
                yield path, path.stat().st_mode


def open_files() -> int | None:
    """Give the soft limit of open files; None: there is none."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def look_at_installers(around: Surroundings) -> Sequence[Installer]:
    """Read what the installers that are there are told."""
    found = []
    if any(shutil.which(name) for name in ("pip", "pip3")):
        found.append(read_pip(list(_texts(pip_files(around))), around.environ))
    if shutil.which("uv"):
        found.append(read_uv(list(_texts(uv_files(around))), around.environ))
    return found


def _texts(files: Iterable[PurePath]) -> Iterator[Text]:
    for file in map(Path, files):
        try:
            yield Text(str(file), file.read_text(encoding="utf-8", errors="replace"))
        except OSError:  # the installers pass over a file that they may not read, too
            continue


def look_for_server(settings: Settings) -> Listener:
    """See who answers at the configured address."""
    return look_for_server_at(root_url(settings))


def look_for_server_at(root: str) -> Listener:
    """See who answers at a URL."""
    url = urlsplit(root)
    connection = connection_to(url.hostname or "", url.port or _PORTS[url.scheme], tls=url.scheme == "https")
    try:
        connection.request("GET", f"{url.path.rstrip('/')}/-/ready")
        said = connection.getresponse().read(64)
    except ConnectionRefusedError:
        return Listener.NOBODY
    except (OSError, http.client.HTTPException):
        return Listener.OTHER
    finally:
        connection.close()
    if said.startswith(b"not ready"):  # the reason follows
        return Listener.NOT_READY
    return Listener.READY if said.startswith(b"ready\n") else Listener.OTHER  # remarks may follow
