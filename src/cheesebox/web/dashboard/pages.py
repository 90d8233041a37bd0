"""Writes the dashboard's pages and fragments: of models and a time, HTML. Pure but for the templates.

Everything that is written is escaped by the template engine; nothing here makes markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from cheesebox import __version__
from cheesebox.cache.objects import project_of_key
from cheesebox.web.dashboard import figures, plots, series, shown
from cheesebox.web.dashboard.series import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cheesebox.errors import CheeseboxError
    from cheesebox.web import models
    from cheesebox.web.dashboard.asked import ProjectsAsked
    from cheesebox.web.dashboard.series import Window


class Pages:
    """The templates with what they know. ``assets`` gives the names of style sheet and script.

    Reads and compiles the templates when it is built.
    """

    def __init__(self, assets: Mapping[str, str]) -> None:
        self._environment = Environment(
            loader=PackageLoader("cheesebox.web.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(_filters())
        self._environment.globals.update(
            assets=assets, version=__version__, windows=list(WINDOWS.values()), plot_height=plots.HEIGHT
        )

        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def _write(self, template: str, **seen: object) -> str:
        return self._environment.get_template(template).render(**seen)

    def home(
        self,
        overview: models.Overview,
        history: models.HistoryDocument,
        window: Window,
        activity: models.Activity,
        highlights: models.Highlights,
        top: Sequence[models.ProjectRow],
    ) -> str:
        """Write the first page."""
        return self._write(
            "home.html",
            root="",
            now=overview.now,
            **_overview(overview),
            **_history(history, window, overview.now),
            activity=activity,
            highlights=highlights,
            top=top,
        )

    def totals(self, overview: models.Overview) -> str:
        """Write what is not as it should be, and the sums since the start."""
        return self._write("_totals.html", root="", now=overview.now, **_overview(overview))

    def health(self, overview: models.Overview) -> str:
        """Write how full the storage is and how the upstreams fare."""
        return self._write("_health.html", root="", now=overview.now, **_overview(overview))

    def history(self, history: models.HistoryDocument, window: Window, now: float) -> str:
        """Write the plots."""
        return self._write("_history.html", root="", now=now, **_history(history, window, now))

    def activity(self, activity: models.Activity, now: float) -> str:
        """Write what goes on now."""
        return self._write("_activity.html", root="", now=now, activity=activity)

    def highlights(self, highlights: models.Highlights, top: Sequence[models.ProjectRow], now: float) -> str:
        """Write what stands out among what is stored."""
        return self._write("_highlights.html", root="", now=now, highlights=highlights, top=top)

    def projects(self, found: models.Projects, asked: ProjectsAsked, now: float) -> str:
        """Write a part of the list of projects."""
        return self._write("projects.html", root="", now=now, found=found, asked=asked)

    def project(
        self,
        project: models.Project,
        listings: Sequence[models.Listing],
        now: float,
        *,
        can_purge: bool,
    ) -> str:
        """Write the page of one project."""
        return self._write(
            "project.html",
            root="../",
            now=now,
            project=project.project,
            sums=shown.sums_of(project),
            indexes=shown.held(project, listings),
            versions=shown.versions_of(project),
            can_purge=can_purge,
        )

    def settings(self, document: models.SettingsDocument, overview: models.Overview) -> str:
        """Write the settings in force."""
        groups: dict[str | None, list[models.SettingRow]] = {}
        for row in document.settings:
            groups.setdefault(row.index, []).append(row)
        return self._write("settings.html", root="", now=overview.now, groups=groups, overview=overview)

    def error(self, error: CheeseboxError, path: str) -> str:
        """Write why there is no such page; ``path`` is the one below ``/-/`` that was asked for."""
        detail = str(error) if error.status < 500 else ""  # noqa: PLR2004 - what fails inside is for the log
        root = "../" * path.count("/")
        return self._write("error.html", root=root, status=error.status, title=error.title, detail=detail)


def _overview(overview: models.Overview) -> dict[str, object]:
    return {
        "overview": overview,
        "alerts": shown.alerts(overview),
        "fill": shown.fill_of(overview.storage),
        "state_of": shown.state_of,
        "engine_names": shown.ENGINES,
    }


def _history(history: models.HistoryDocument, window: Window, now: float) -> dict[str, object]:
    bars = series.buckets(history.sums, window, now)
    return {
        "history": history,
        "window": window,
        "plots": (plots.ratio_plot(bars, window), plots.bytes_plot(bars, window)),
        "rows": [(plots.label(bar.start, window), bar.sums) for bar in reversed(bars)],
    }


def _filters() -> dict[str, object]:
    return {
        "count": figures.count,
        "counted": figures.counted,
        "percent": figures.percent,
        "size": figures.size,
        "span": figures.span,
        "latency": figures.latency,
        "moment": figures.moment,
        "machine_time": figures.machine_time,
        "ago": lambda at, now: figures.ago(now, at),
        "filename": lambda key: key.rpartition("/")[2],
        "pieces": figures.pieces,
        "project_of_key": project_of_key,
        "segment": lambda name: quote(name, safe=""),
    }
