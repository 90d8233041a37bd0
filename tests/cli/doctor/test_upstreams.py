import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cli.doctor.findings import Level
from cheesebox.cli.doctor.upstreams import (
    Answer,
    Step,
    Trouble,
    UpstreamFacts,
    judge_clock,
    judge_upstream,
    possible_dates,
)

NOW = 1_800_000_000.0
DAY = 86400.0


def facts(result, **changes):
    return UpstreamFacts(index="pypi", url="https://index.example/simple/", result=result, **changes)


def answer(status=200, date=NOW, age=0.0):
    return Answer(status, 0.1, NOW, possible_dates(date, age))


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (200, Level.OK),
        (404, Level.OK),
        (410, Level.OK),
        (204, Level.FAIL),
        (302, Level.FAIL),
        (401, Level.FAIL),
        (403, Level.FAIL),
        (429, Level.WARN),
        (503, Level.FAIL),
    ],
)
def test_an_upstream_is_judged_by_its_status(status, level):
    [finding] = judge_upstream(facts(answer(status)), NOW)
    assert (finding.level, finding.check) == (level, "upstream pypi")
    assert (finding.fix is None) is (level is Level.OK)
    assert f"answers {status} in 100 ms" in finding.message


def test_a_403_is_in_order_where_it_means_that_there_is_no_such_project():
    [finding] = judge_upstream(facts(answer(403), missing_on_403=True), NOW)
    assert finding.level is Level.OK


@pytest.mark.parametrize("step", list(Step))
def test_what_failed_is_told_with_its_step_and_a_fix(step):
    [finding] = judge_upstream(facts(Trouble(step, "broken")), NOW)
    assert finding.level is Level.FAIL
    assert f"{step}: broken" in finding.message
    assert finding.fix


def test_a_certificate_that_is_not_valid_now_points_to_the_clock():
    [finding] = judge_upstream(facts(Trouble(Step.TLS, "certificate has expired", is_about_time=True)), NOW)
    assert "clock" in finding.fix


def test_the_proxy_is_named_where_there_is_one():
    through = facts(Trouble(Step.ANSWER, "cut"), proxy="http://proxy.example:3128")
    [finding] = judge_upstream(through, NOW)
    assert "http://proxy.example:3128" in finding.fix


@pytest.mark.parametrize(
    ("days", "level"), [(90, Level.OK), (14, Level.OK), (13, Level.WARN), (0, Level.WARN)]
)
def test_a_certificate_that_ends_soon_is_told(days, level):
    *_, finding = judge_upstream(facts(answer(), certificate_ends=NOW + days * DAY + 1), NOW)
    assert finding.level is level
    assert f"{days} days" in finding.message


@pytest.mark.parametrize(
    ("off", "level", "said"),
    [
        (0, Level.OK, "agrees"),
        (29, Level.OK, "agrees"),
        (120, Level.WARN, "2m behind"),
        (-120, Level.WARN, "2m ahead of"),
        (7200, Level.FAIL, "2h behind"),
        (-7200, Level.FAIL, "2h ahead of"),
    ],
)
def test_the_clock_is_compared_with_the_upstream_s(off, level, said):
    finding = judge_clock([facts(answer(date=NOW + off))])
    assert finding.level is level
    assert said in finding.message


@given(st.floats(min_value=0, max_value=1e6))
def test_an_old_answer_of_a_cache_in_between_is_no_wrong_clock(age):
    for date in (NOW - age, NOW):  # the origin's date, or one that the cache wrote anew
        assert judge_clock([facts(answer(date=date, age=age))]).level is Level.OK


def test_one_upstream_that_agrees_is_enough():
    several = [facts(answer(date=NOW - 9000)), facts(Trouble(Step.NAME, "")), facts(answer())]
    assert judge_clock(several).level is Level.OK


def test_without_a_date_the_clock_is_not_called_right():
    assert judge_clock([facts(Answer(200, 0.1, NOW)), facts(Trouble(Step.NAME, ""))]).level is Level.WARN
