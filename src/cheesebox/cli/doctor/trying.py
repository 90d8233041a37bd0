"""Facts about the engines that nodes share: each is used once as a node would."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from cheesebox.adapters.valkey.looking import look_at_server
from cheesebox.cli.doctor.engines import Failed, RegisterFacts, StorageFacts
from cheesebox.engines import ObjectName
from cheesebox.errors import CheeseboxError
from cheesebox.nodes import Engines, namespace, open_engines
from cheesebox.setting_values import redacted

if TYPE_CHECKING:
    from cheesebox.engines import Objects, Register
    from cheesebox.settings import Settings

_BODY = b"cheesebox doctor was here, and takes this away again\n"


async def try_engines(settings: Settings) -> tuple[RegisterFacts, StorageFacts] | None:
    """Use both engines; None where the settings name none. Raises `SettingsError`."""
    engines = open_engines(settings, time.time)
    if engines is None or settings.store is None or settings.catalogue is None:
        return None
    try:
        return (
            await _register(engines.register, settings.catalogue, namespace(settings.store)),
            await try_storage(engines.objects, redacted(settings.store)),
        )
    finally:
        await _close(engines)


async def _close(engines: Engines) -> None:
    await engines.register.close()
    await engines.objects.close()


async def _register(register: Register, url: str, space: str) -> RegisterFacts:
    try:
        await register.totals()
        asked, started = time.time(), time.perf_counter()
        server = await look_at_server(url, space)
    except CheeseboxError as error:
        return RegisterFacts(Failed("ask", str(error)))
    seconds = time.perf_counter() - started
    return RegisterFacts(server, seconds, server.now - asked - seconds / 2)


async def try_storage(objects: Objects, where: str) -> StorageFacts:
    """Write, list, read and remove an object whose name no node takes for one of its own."""
    name = ObjectName(f"doctor/{secrets.token_hex(8)}")
    started, operation = time.perf_counter(), "write"
    try:
        await objects.put(name, _BODY)
        operation = "list"
        async for _ in objects.walk():
            break
        operation = "read"
        if b"".join([piece async for piece in objects.read(name)]) != _BODY:
            return StorageFacts(where, Failed(operation, "other bytes than were written"))
        operation = "remove"
        await objects.remove([name])
    except CheeseboxError as error:
        return StorageFacts(where, Failed(operation, str(error)))
    return StorageFacts(where, None, time.perf_counter() - started)
