"""A busy cache as the dashboard sees it, made of numbers that are always the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from cheesebox.cache.history import HOUR, hour_of
from cheesebox.web import models

if TYPE_CHECKING:
    from cheesebox.ports import Order

NOW = 1_800_012_345.0
MB = 1_000_000
GB = 1000 * MB

_FILES = (
    ("torch-2.9.1-cp312-cp312-manylinux_2_28_x86_64.whl", 899_755_000, 212),
    ("nvidia_cudnn_cu12-9.10.2.21-py3-none-manylinux_2_27_x86_64.whl", 706_758_467, 208),
    ("nvidia_cublas_cu12-12.8.4.1-py3-none-manylinux_2_27_x86_64.whl", 594_346_921, 208),
    ("triton-3.5.1-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", 170_470_692, 190),
    ("pyarrow-22.0.0-cp312-cp312-manylinux_2_28_x86_64.whl", 47_649_123, 861),
    ("scipy-1.16.3-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", 35_663_511, 1204),
    ("numpy-2.3.5-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", 16_605_812, 8421),
    ("pandas-2.3.3-cp312-cp312-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl", 12_397_503, 5310),
    ("cryptography-46.0.3-cp311-abi3-manylinux_2_34_x86_64.whl", 4_451_820, 9120),
    ("pydantic_core-2.41.5-cp312-cp312-manylinux_2_17_x86_64.whl", 2_070_122, 11_804),
)
_PROJECTS = (
    ("certifi", 4, 640_112, 18_220),
    ("typing-extensions", 6, 271_410, 17_904),
    ("urllib3", 9, 1_254_001, 16_411),
    ("requests", 5, 330_122, 15_988),
    ("idna", 3, 214_700, 15_102),
    ("pydantic-core", 22, 46_120_000, 11_804),
    ("cryptography", 14, 61_004_120, 9_120),
    ("numpy", 31, 498_211_004, 8_421),
    ("pandas", 18, 221_600_450, 5_310),
    ("scipy", 11, 384_120_007, 1_204),
)


def stored(filename: str, size: int, hits: int, number: int = 0) -> models.Stored:
    """Make a stored distribution file."""
    return models.Stored(
        f"pypi/packages/ab/cd/{number:060d}/{filename}",
        "pypi",
        "file",
        filename,
        filename.split("-")[1],
        size,
        "sha256:" + "0" * 64,
        NOW - 400 * number - 90,
        NOW - 400 * number - 90,
        NOW - 37 * number - 4,
        hits,
    )


def sums(hits: int, misses: int, stale: int = 0, each: int = 2 * MB) -> models.Sum:
    """Make sums whose bytes follow from the answers."""
    sent, fetched = (hits + misses) * each, misses * each
    ratio = hits / (hits + misses) if hits + misses else None
    return models.Sum(hits, misses, stale, sent, fetched, max(0, sent - fetched), ratio)


def history(hours: int) -> models.HistoryDocument:
    """Make days that are busy by day and quiet by night, with a cold cache at their beginning."""
    since = hour_of(NOW) - (hours - 1) * HOUR
    rows = []
    for number in range(hours):
        start = since + number * HOUR
        of_day = (start // HOUR) % 24
        asked = round(900 * max(0.0, math.sin((of_day - 5) / 24 * math.tau)) + 40 + 17 * (number % 5))
        cold = 0.04 + 0.5 * math.exp(-number / (hours / 8)) + (0.2 if number % 37 == 0 else 0)
        if of_day != 3:
            rows.append(models.HourSum(start, sums(asked - round(asked * cold), round(asked * cold))))
    hits, misses = (sum(getattr(row.sum, name) for row in rows) for name in ("hits", "misses"))
    indexes = [
        models.IndexSum("pypi", sums(hits - hits // 20, misses - misses // 20)),
        models.IndexSum("pytorch", sums(hits // 20, misses // 20, each=9 * MB)),
    ]
    return models.HistoryDocument(since, sums(hits, misses, 14), indexes, rows, [])


def overview() -> models.Overview:
    """Make the state of a cache that is nearly full, one of whose upstreams fails."""
    return models.Overview(
        "0.1.0",
        NOW,
        NOW - 9 * 86400 - 4000,
        False,
        sums(184_212, 9_120, 14),
        [],
        models.Storage(47_310 * MB, 50 * GB, 18_412, 0, 1_606 * MB, 212 * GB, 5 * GB, 2_318, 21_804 * MB),
        models.Ready(1_204, 118 * MB),
        [
            models.Host("pypi.org", 21_404, 3, 0, 1_890 * MB, 0.038, NOW - 2, NOW - 86_400, "answered 502"),
            models.Host("files.pythonhosted.org", 9_120, 0, 0, 61_204 * MB, 0.021, NOW - 1, 0, ""),
            models.Host(
                "wheels.example",
                412,
                9,
                6,
                9_120 * MB,
                0.214,
                NOW - 700,
                NOW - 21,
                "cannot connect: connection refused",
            ),
        ],
    )


def nodes(trouble: str = "") -> models.Nodes:
    """Make one of several nodes, which cannot use the object storage if there is ``trouble``."""
    return models.Nodes(
        "http://10.0.0.7:6283",
        [models.Engine("register", "", 2), models.Engine("storage", trouble, 14)],
        models.Together(18_204, 2_310, 412, 3, 2_308, 2),
        models.Keeping(True, 812, 9_120 * MB, 1_640, 0, 3),
        500 * GB,
        412 * GB,
        184_212,
    )


def activity() -> models.Activity:
    """Make downloads and troubles."""
    downloads = [
        models.UnderWay(stored(_FILES[0][0], 0, 0).key, 561_200_000, 899_755_000, 3, 0),
        models.UnderWay(stored(_FILES[1][0], 0, 0).key, 88_400_000, 706_758_467, 1, 2),
        models.UnderWay(stored("kubernetes-34.1.0.tar.gz", 0, 0).key, 412_000, None, 1, 0),
    ]
    events = [
        ("stale", "/pytorch/simple/torchvision/", 20),
        ("warning", "https://wheels.example/whl/torchvision/: cannot connect: connection refused", 21),
        ("stale", "/pytorch/simple/torch/", 64),
        ("error", "cut the answer to GET /pypi/packages/…/broken-1.0.tar.gz: its digest is wrong", 4_000),
        ("warning", "https://pypi.org/simple/boto3/: answered 502", 86_400),
    ]
    return models.Activity(downloads, [models.EventRow(NOW - ago, lv, text) for lv, text, ago in events])


def files() -> list[models.Stored]:
    """Make stored files, the largest first."""
    return [stored(name, size, hits, number) for number, (name, size, hits) in enumerate(_FILES)]


def highlights() -> models.Highlights:
    """Make the newest and the largest."""
    kinds = [
        models.KindRow("pypi", "file", 9_804, 38_190 * MB),
        models.KindRow("pypi", "metadata", 6_120, 61 * MB),
        models.KindRow("pypi", "page", 2_311, 212 * MB),
        models.KindRow("pypi", "list", 1, 38 * MB),
        models.KindRow("pytorch", "file", 42, 8_806 * MB),
        models.KindRow("pytorch", "page", 31, 3 * MB),
    ]
    return models.Highlights(sorted(files(), key=lambda each: -each.stored_at), files(), kinds)


def projects() -> list[models.ProjectRow]:
    """Make projects, the most asked for first."""
    return [
        models.ProjectRow(name, count, size, hits, NOW - 3 * number - 1, NOW - 5000 * number - 70)
        for number, (name, count, size, hits) in enumerate(_PROJECTS)
    ]


def project(name: str = "numpy") -> models.Project:
    """Make a project with several versions, metadata and documents."""
    made = []
    for number, (version, tags) in enumerate(
        (("2.3.5", ("cp312", "cp313")), ("2.3.4", ("cp312",)), ("1.26.4", ("cp311", "cp312")))
    ):
        for tag in tags:
            filename = f"{name}-{version}-{tag}-{tag}-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"
            file = stored(filename, 16_605_812 + number, 4_000 // (number + 1), number)
            made.append(file)
            made.append(
                msgspec.structs.replace(
                    file,
                    key=f"{file.key}.metadata",
                    kind="metadata",
                    filename=f"{filename}.metadata",
                    size=62_112,
                )
            )
    made.append(
        msgspec.structs.replace(
            stored(f"{name}-0-0", 612_004, 8_120),
            key=f"pypi/simple/{name}.page",
            kind="page",
            filename=f"{name}.page",
            version=None,
        )
    )
    return models.Project(name, made)


def listing() -> models.Listing:
    """Make what an index with a rule about age says of a project."""
    reason = "it was uploaded 2027-01-14T09:30:00Z, and files have to be 3d old"
    withheld = [
        models.WithheldRow(f"numpy-2.4.0-cp31{n}-cp31{n}-manylinux_2_28_x86_64.whl", reason, NOW + 150_000)
        for n in range(2, 5)
    ]
    return models.Listing(
        "pypi", "active", None, NOW - 86_400, NOW - 140, 3_204, 138, has_rules=True, withheld=withheld
    )


def settings() -> models.SettingsDocument:
    """Make some settings."""
    return models.SettingsDocument(
        [
            models.SettingRow(None, "host", "0.0.0.0", False, "Address to listen on"),
            models.SettingRow(None, "max_size", "50GB", False, "Most that is stored, in bytes"),
            models.SettingRow(None, "admin_token", "***", False, "Who knows it may purge"),
            models.SettingRow(None, "read_timeout", "30s", True, "How long to wait for bytes"),
            models.SettingRow("pypi", "upstream", "https://pypi.org/simple/", True, "Root of a Simple API"),
            models.SettingRow("pypi", "min_age", "3d", False, "How old files have to be"),
        ]
    )


class StagedOperations:
    """Stands in for `Operations`; counts its looks."""

    def __init__(self) -> None:
        self.looks: list[str] = []

    def clock(self) -> float:
        """Stand still."""
        return NOW

    def overview(self) -> models.Overview:
        """See `overview`."""
        return overview()

    def activity(self) -> models.Activity:
        """See `activity`."""
        return activity()

    def settings(self) -> models.SettingsDocument:
        """See `settings`."""
        return settings()

    async def history(self, hours: int) -> models.HistoryDocument:
        """See `history`."""
        self.looks.append("history")
        return history(hours)

    async def highlights(self) -> models.Highlights:
        """See `highlights`."""
        self.looks.append("highlights")
        return highlights()

    async def projects(self, search: str, order: Order, limit: int, offset: int) -> models.Projects:
        """Give those with the text in their name, in the order of the stage."""
        self.looks.append(f"projects by {order}")
        found = [row for row in projects() if search in row.project][offset : offset + limit]
        return models.Projects(found, None)

    async def project(self, name: str) -> models.Project:
        """See `project`."""
        return project(name)

    async def listings(self, _name: str) -> list[models.Listing]:
        """See `listing`."""
        return [listing()]
