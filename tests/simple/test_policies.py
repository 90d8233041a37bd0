"""The laws of rules and views."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cheesebox.simple.matches import Matches, parse_match
from cheesebox.simple.model import DistributionFile, ProjectPage
from cheesebox.simple.names import ProjectName
from cheesebox.simple.policies import (
    ALLOWED,
    AllowOnly,
    Deny,
    Kind,
    MinAge,
    Only,
    Undated,
    Uploaded,
    View,
    Withheld,
)

DEMO = ProjectName("demo")
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VERSIONS = ["1.0", "1.1", "2.0", "2.1rc1", "3.0+local", "1.0.banana"]
# Few different moments, so that equal ones are drawn.
MOMENTS = st.integers(0, 40).map(lambda hours: START + timedelta(hours=6 * hours))
AGES = st.integers(0, 12).map(lambda hours: timedelta(hours=6 * hours))
MATCHES = st.lists(st.sampled_from(["demo==1.0", "demo>1.0,<3", "other"]), max_size=2).map(
    lambda entries: Matches(tuple(parse_match(entry) for entry in entries))
)
UNDATED = st.sampled_from(Undated)
RULES = st.one_of(
    st.builds(MinAge, AGES, MATCHES, UNDATED),
    st.builds(Deny, MATCHES),
    st.builds(AllowOnly, MATCHES),
    st.builds(Only, st.sampled_from(Kind)),
)
PLAIN = st.lists(RULES, max_size=3).map(lambda rules: View(tuple(rules)))
VIEWS = PLAIN | st.builds(View.stopped_at, PLAIN, MOMENTS, UNDATED)


def named(filename: str, uploaded: datetime | None = START) -> DistributionFile:
    raw: dict[str, object] = {"filename": filename}
    if uploaded is not None:
        raw["upload-time"] = uploaded.isoformat().replace("+00:00", "Z")
    return DistributionFile(raw, f"https://files.example/{filename}")


def page(*files: DistributionFile, **document: object) -> ProjectPage:
    return ProjectPage(DEMO, {"name": "demo", **document}, files)


@st.composite
def pages(draw: st.DrawFn) -> ProjectPage:
    kinds = ("demo-{}-py3-none-any.whl", "demo-{}.tar.gz")
    names = draw(
        st.lists(
            st.sampled_from([kind.format(v) for v in VERSIONS for kind in kinds]), unique=True, max_size=8
        )
    )
    document: dict[str, object] = {"meta": {}, "project-status": {"status": draw(st.sampled_from(STATES))}}
    if draw(st.booleans()):
        document["versions"] = draw(st.permutations(VERSIONS))
    return page(*(named(name, draw(MOMENTS | st.none())) for name in names), **document)


STATES = ["active", "active", "archived", "quarantined"]


def names(shown: ProjectPage) -> set[str]:
    return {file.filename for file in shown.files}


@given(VIEWS, pages(), MOMENTS, MOMENTS)
def test_a_later_time_never_shows_fewer_files(view, found, one, two):
    early, late = sorted((one, two))
    assert names(view.show(found, early)) <= names(view.show(found, late))


@given(PLAIN, pages(), MOMENTS, MOMENTS, UNDATED)
def test_a_later_moment_of_the_past_never_shows_fewer_files(view, found, one, two, undated):
    early, late = (view.stopped_at(moment, undated) for moment in sorted((one, two)))
    assert names(early.show(found, START + 99 * DAY)) <= names(late.show(found, START + 99 * DAY))


@given(VIEWS, pages(), MOMENTS)
def test_to_show_what_is_shown_changes_nothing(view, found, now):
    shown = view.show(found, now)
    assert view.show(shown, now) == shown


@given(PLAIN, pages(), MOMENTS, MOMENTS, MOMENTS, UNDATED)
def test_a_view_of_the_past_does_not_change_with_time(view, found, moment, one, two, undated):
    assume(moment <= min(one, two))
    past = view.stopped_at(moment, undated)
    assert past.show(found, one) == past.show(found, two)
    assert past.withheld(found, one) == past.withheld(found, two)
    assert all(withheld.until is None for withheld in past.withheld(found, one).values())
    assert past.epoch(past.changes(found), one).ends is None


@given(PLAIN, pages(), MOMENTS, MOMENTS, UNDATED)
def test_the_last_moment_asked_for_is_the_one_that_holds(view, found, first, last, undated):
    again = view.stopped_at(first, undated).stopped_at(last, undated)
    assert again == view.stopped_at(last, undated)
    assert again.show(found, START + 99 * DAY) == view.stopped_at(last, undated).show(found, START + 99 * DAY)


@given(pages(), MOMENTS, AGES)
def test_a_cooldown_in_the_past_is_an_earlier_past(found, moment, age):
    now = START + 99 * DAY
    cooled = View((MinAge(age),)).stopped_at(moment, Undated.HIDE)
    assert cooled.show(found, now) == View().stopped_at(moment - age, Undated.HIDE).show(found, now)


@given(pages(), MOMENTS, st.lists(RULES, min_size=2, max_size=3))
def test_the_order_of_rules_does_not_matter(found, now, rules):
    forth, back = View(tuple(rules)), View(tuple(reversed(rules)))
    assert forth.show(found, now) == back.show(found, now)
    assert forth.changes(found) == back.changes(found)
    stepwise = found
    for rule in rules:
        stepwise = View((rule,)).show(stepwise, now)
    assert forth.show(found, now) == stepwise


@given(VIEWS, pages(), MOMENTS, MOMENTS)
def test_nothing_changes_within_an_epoch_and_something_does_at_its_end(view, found, one, two):
    changes = view.changes(found)
    epochs = view.epoch(changes, one), view.epoch(changes, two)
    same = view.show(found, one) == view.show(found, two)
    assert same == (epochs[0].number == epochs[1].number)
    ends = epochs[0].ends
    if ends is not None:
        assert view.show(found, ends - datetime.resolution) == view.show(found, one)
        assert names(view.show(found, ends)) > names(view.show(found, one))


@given(VIEWS, pages(), MOMENTS)
def test_a_file_is_shown_withheld_or_never_both(view, found, now):
    withheld = view.withheld(found, now)
    assert names(view.show(found, now)) == names(found) - withheld.keys()
    for file in found.files:
        judgement = view.judge(file, found, now)
        assert judgement == withheld.get(file.filename, ALLOWED)
        if isinstance(judgement, Withheld) and judgement.until is not None:
            assert judgement.until > now
            assert view.judge(file, found, judgement.until) == ALLOWED


@given(VIEWS, pages(), MOMENTS)
def test_versions_follow_the_files(view, found, now):
    shown = view.show(found, now)
    assert set(shown.versions) <= set(found.versions)
    for version in found.versions:
        had, has = ({f"demo-{version}{end}" for end in ENDS} & names(each) for each in (found, shown))
        if had or not shown.files:
            assert (version in shown.versions) is (bool(has) or shown is found)


ENDS = ("-py3-none-any.whl", ".tar.gz")


@given(VIEWS, pages(), MOMENTS)
def test_all_else_that_the_page_says_stays(view, found, now):
    shown = view.show(found, now)
    assert list(shown.document) == list(found.document)
    assert {**shown.document, "versions": 0} == {**found.document, "versions": 0}
    assert [file for file in found.files if file in shown.files] == list(shown.files)


@given(pages(), MOMENTS)
def test_without_rules_only_a_quarantine_hides_files(found, now):
    shown = View().show(found, now)
    if found.status == "quarantined":
        assert (shown.files, shown.versions) == ((), ())
    else:
        assert shown is found


def test_a_quarantine_tells_its_reason():
    marker = {"status": "quarantined", "reason": "found to be malware"}
    found = page(named("demo-1.0.tar.gz"), **{"project-status": marker})
    assert View().judge(found.files[0], found, START) == Withheld("demo is quarantined: found to be malware")
    found = page(named("demo-1.0.tar.gz"), **{"project-status": {"status": "quarantined"}})
    assert View().judge(found.files[0], found, START) == Withheld("demo is quarantined")


WEEK = MinAge(timedelta(days=7))
EXEMPT = MinAge(timedelta(days=7), Matches((parse_match("demo==1.0"),)))


@pytest.mark.parametrize(
    ("rule", "file", "expected"),
    [
        (
            WEEK,
            named("demo-1.0.tar.gz", START),
            Withheld(
                "it was uploaded 2026-01-01T00:00:00Z, and files have to be 7d old", START + timedelta(days=7)
            ),
        ),
        (
            WEEK,
            named("demo-1.0.tar.gz", None),
            Withheld("it has no upload time, and files have to be 7d old"),
        ),
        (MinAge(DAY, undated=Undated.KEEP), named("demo-1.0.tar.gz", None), ALLOWED),
        (EXEMPT, named("demo-1.0.tar.gz", START), ALLOWED),
        (EXEMPT, named("demo-1.0.tar.gz", None), ALLOWED),
        (
            WEEK,
            named("demo-1.0.tar.gz", datetime(9999, 12, 30, tzinfo=UTC)),
            Withheld("it was uploaded 9999-12-30T00:00:00Z, and files have to be 7d old"),
        ),
        (
            Uploaded(),
            named("demo-1.0.tar.gz", START + 2 * DAY),
            Withheld(
                "it was uploaded 2026-01-03T00:00:00Z, and this is the index as of 2026-01-02T00:00:00Z",
                START + 2 * DAY,
            ),
        ),
        (
            Uploaded(),
            named("demo-1.0.tar.gz", None),
            Withheld("it has no upload time, and this is the index as of 2026-01-02T00:00:00Z"),
        ),
        (Uploaded(Undated.KEEP), named("demo-1.0.tar.gz", None), ALLOWED),
        (Uploaded(), named("demo-1.0.tar.gz", START + DAY), ALLOWED),
        (
            Deny(Matches((parse_match("demo==1.0", "it deletes files"),))),
            named("demo-1.0.tar.gz"),
            Withheld("it deletes files"),
        ),
        (
            Deny(Matches((parse_match("demo<2"),))),
            named("demo-1.0.tar.gz"),
            Withheld("demo<2 is denied here"),
        ),
        (Deny(Matches((parse_match("demo<2"),))), named("demo-2.0.tar.gz"), ALLOWED),
        (
            AllowOnly(Matches((parse_match("other"),))),
            named("demo-1.0.tar.gz"),
            Withheld("it is not among what is allowed here"),
        ),
        (AllowOnly(Matches((parse_match("demo"),))), named("demo-1.0.tar.gz"), ALLOWED),
        (Only(Kind.WHEELS), named("demo-1.0-py3-none-any.whl"), ALLOWED),
        (Only(Kind.WHEELS), named("demo-1.0.tar.gz"), Withheld("only wheels are served here")),
        (Only(Kind.WHEELS, "no builds"), named("demo-1.0.zip"), Withheld("no builds")),
        (Only(Kind.SDISTS), named("demo-1.0.zip"), ALLOWED),
        (Only(Kind.SDISTS), named("demo-1.0.exe"), Withheld("only sdists are served here")),
    ],
)
def test_a_rule_says_why(rule, file, expected):
    assert rule.judge(file, page(file), START + DAY) == expected


def test_of_several_reasons_the_one_that_lasts_longest_is_given():
    file = named("demo-1.0.tar.gz", START)
    short, long = MinAge(2 * DAY), MinAge(3 * DAY)
    deny = Deny(Matches((parse_match("demo", "never"),)))
    assert View((short, long)).judge(file, page(file), START) == long.judge(file, page(file), START)
    assert View((deny, long)).judge(file, page(file), START) == Withheld("never")
    assert View((short, deny, long)).changes(page(file)) == ()
    assert View((short, long)).changes(page(file)) == (START + 3 * DAY,)


def test_views_are_equal_by_what_they_show_and_by_their_name():
    rules = (MinAge(DAY), Deny(Matches((parse_match("demo"),))))
    view = View(rules).stopped_at(START, Undated.HIDE, "@2026-01-01")
    again = View((MinAge(DAY), Deny(Matches((parse_match("demo"),))))).stopped_at(
        START, Undated.HIDE, view.name
    )
    assert (view, hash(view)) == (again, hash(again))
    assert view != View(rules)
    assert view != View(rules).stopped_at(START, Undated.KEEP, view.name)
