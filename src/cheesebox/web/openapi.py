"""Describes the API as OpenAPI 3.1, made of its tables of routes and of the types of its documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox import __version__
from cheesebox.web import models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.web.parameters import Parameter

PROJECT = "{project}"
"""Where a path of a route has the name of a project."""

_SCHEMA_OF = "#/components/schemas/{name}"
_TOKEN = "adminToken"  # noqa: S105 - the name of a scheme
_ABOUT = (
    "Times are seconds since the epoch (UTC), durations seconds, sizes bytes. Reading is open unless access "
    "to the whole cache is restricted; changing needs the admin token and is refused to other sites' pages. "
    "Fields may be added to documents; existing ones stay."
)


@dataclass(frozen=True, slots=True)
class Read:
    """A document that can be read: ``path`` is below the API's root, ``gives`` is its type."""

    path: str
    help: str
    gives: type[msgspec.Struct]
    query: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Something that can be changed by sending a ``body``; it needs the admin token."""

    path: str
    help: str
    body: type[models.PurgeRequest | models.Offline]
    gives: type[msgspec.Struct]


def document(reads: Iterable[Read], changes: Iterable[Change], root: str) -> dict[str, Any]:
    """Give the OpenAPI document of these routes; ``root`` is the path that they are below."""
    reads, changes = tuple(reads), tuple(changes)
    kinds = [models.Problem, *(read.gives for read in reads)]
    kinds += [kind for change in changes for kind in (change.gives, change.body)]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMA_OF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cheesebox", "version": __version__, "description": _ABOUT},
        "servers": [{"url": root.rstrip("/")}],
        "paths": {f"/{read.path}": {"get": _read(read)} for read in reads}
        | {f"/{change.path}": {"post": _change(change)} for change in changes},
        "components": {
            "schemas": schemas,
            "securitySchemes": {_TOKEN: {"type": "http", "scheme": "bearer"}},
        },
    }


def _read(read: Read) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": p.name, "in": "query", "description": p.help, "schema": p.schema()} for p in read.query
    ]
    problems = {"503": "The catalogue cannot be used."}
    if read.query:
        problems["400"] = "A parameter is not what it should be."
    if PROJECT in read.path:
        parameters.append(_PROJECT_PARAMETER)
        problems["404"] = "No project can have this name."
    return {
        "operationId": _name(read.path),
        "summary": read.help,
        "parameters": parameters,
        "responses": {"200": _content(read.gives)} | _problems(problems),
    }


_PROJECT_PARAMETER = {
    "name": "project",
    "in": "path",
    "required": True,
    "description": "name of the project, in any spelling",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"},
}


def _change(change: Change) -> dict[str, Any]:
    problems = {
        "400": "The body is not what it should be.",
        "401": "The admin token is missing or wrong.",
        "403": "Another site's page asked, or no admin token is set.",
        "503": "The store cannot be used.",
    }
    schema = {"$ref": _SCHEMA_OF.format(name=change.body.__name__)}
    return {
        "operationId": _name(change.path),
        "summary": change.help,
        "security": [{_TOKEN: []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": _content(change.gives)} | _problems(problems),
    }


def _name(path: str) -> str:
    return path.replace(f"s/{PROJECT}", "").replace("/", "_")


def _content(kind: type[msgspec.Struct]) -> dict[str, Any]:
    schema = {"$ref": _SCHEMA_OF.format(name=kind.__name__)}
    return {"description": kind.__doc__, "content": {"application/json": {"schema": schema}}}


def _problems(found: dict[str, str]) -> dict[str, Any]:
    schema = {"$ref": _SCHEMA_OF.format(name=models.Problem.__name__)}
    content = {"application/problem+json": {"schema": schema}}
    return {
        status: {"description": text} | ({} if status == "404" else {"content": content})
        for status, text in found.items()
    }
