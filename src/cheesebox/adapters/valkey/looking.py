"""What a server tells of itself, for those who look whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.adapters.valkey.calls import Calls
from cheesebox.adapters.valkey.connecting import open_client
from cheesebox.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

# In a script, so that with Sentinel or a cluster it is asked of the server that has the data. Who may not
# run INFO learns the time alone.
_LOOK = """
local function about(section)
  local said = redis.pcall('INFO', section)
  return type(said) == 'string' and said or ''
end
return {about('server') .. about('memory'), redis.call('TIME')}
"""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server is; sizes in bytes, ``max_memory`` 0: no limit, ``now`` seconds since the epoch.

    ``version`` and ``policy`` are empty where the server does not tell.
    """

    product: str
    version: str
    policy: str
    max_memory: int
    used_memory: int
    now: float


async def look_at_server(url: str, namespace: str) -> ServerFacts:
    """Ask the server that keeps a register; raises `EngineError`, and `SettingsError` for a bad URL."""
    calls = Calls(open_client(url, 1), {}, f"{{cheesebox:{namespace}}}:", (), 1)
    try:
        info, (seconds, microseconds) = await calls.command("look", "EVAL", _LOOK, 1, f"{calls.prefix}look")
    except (TypeError, ValueError) as error:
        raise EngineError(f"the register {calls.where} gave an answer that is none") from error
    finally:
        await calls.close()
    return read_facts(info.decode("utf-8", "replace"), int(seconds) + int(microseconds) / 1e6)


def read_facts(info: str, now: float) -> ServerFacts:
    """Read the answer to ``INFO``."""
    told = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    version = told.get("valkey_version", "")
    return ServerFacts(
        "Valkey" if version else "Redis",
        version or told.get("redis_version", ""),
        told.get("maxmemory_policy", ""),
        _number(told, "maxmemory"),
        _number(told, "used_memory"),
        now,
    )


def _number(told: Mapping[str, str], name: str) -> int:
    text = told.get(name, "")
    return int(text) if text.isdecimal() else 0
