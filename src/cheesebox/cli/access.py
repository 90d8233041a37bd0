"""``cheesebox access``: writes a line for the access file."""

from __future__ import annotations

import sys

import click

from cheesebox.hashing import hash_password, hash_token, new_token


def _access(name: str, *, token: bool) -> int:
    if ":" in name or name.startswith("#") or not name.isprintable() or name != name.strip() or not name:
        raise click.UsageError("a name has no colon, does not begin with # and is one line")
    if token:
        made = new_token()
        print(f"The token of {name}, shown this once: {made}", file=sys.stderr)
        print(f"{name}:{hash_token(made.encode())}")
        return 0
    print(f"{name}:{hash_password(_password().encode())}")
    return 0


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.UsageError("no password on standard input")
    return password


command = click.Command(
    "access",
    callback=_access,
    params=[
        click.Argument(["name"]),
        click.Option(["--token"], is_flag=True, help="Make a random token instead of asking for a password."),
    ],
    help="""Write a line for the access file, which lets NAME use the cache.

    Name the file in the setting access_file: from then on nobody else may. The password is asked for, or
    read from standard input; the file gets its hash alone.

    \b
    Example:
      cheesebox access alice >> access
      cheesebox access ci --token >> access
    """,
    short_help="Write a line for the access file.",
)
