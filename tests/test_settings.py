import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.errors import SettingsError
from cheesebox.setting_values import Unit, redacted
from cheesebox.settings import Settings, describe
from cheesebox.settings_loading import load_settings

HOME = {"HOME": "/home/somebody"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(environ=None, config=None, **overrides):
    return load_settings(config, HOME | (environ or {}), overrides)


def refusal(environ=None, config=None, **overrides):
    with pytest.raises(SettingsError) as caught:
        load(environ, config, **overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_defaults_are_those_of_the_model():
    settings = load()
    assert settings.cache_dir == Path("/home/somebody/.cache/cheesebox")
    assert (settings.host, settings.port, settings.max_size) == ("127.0.0.1", 6283, 50 * 10**9)
    assert settings.index.upstream == "https://pypi.org/simple/"
    assert settings.index.upstream_files == "https://files.pythonhosted.org/packages/"
    assert settings.indexes == (settings.index,)
    assert settings == Settings(cache_dir=settings.cache_dir, index=settings.index)


def test_another_upstream_has_its_file_base_learnt():
    assert load(upstream="https://index.example/simple/").index.upstream_files is None


@pytest.mark.parametrize(
    ("base", "expected"),
    [("/var/cache", "/var/cache/cheesebox"), ("relative", "/home/somebody/.cache/cheesebox")],
)
def test_the_cache_lies_in_the_users_cache_directory(base, expected):
    assert load({"XDG_CACHE_HOME": base}).cache_dir == Path(expected)


@given(in_file=st.booleans(), in_environment=st.booleans(), on_command_line=st.booleans())
def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path_factory, in_file, in_environment, on_command_line
):
    config = tmp_path_factory.mktemp("config") / "some.toml"
    config.write_text("retries = 1\n" if in_file else "")
    environ = {"CHEESEBOX_RETRIES": "2"} if in_environment else {}
    settings = load(environ, config, retries="3" if on_command_line else None)
    expected = 3 if on_command_line else 2 if in_environment else 1 if in_file else 4
    assert settings.retries == expected


WITH_DEFAULT = [found for found in describe() if found.default is not None and found.name != "cache_dir"]


@pytest.mark.parametrize("setting", WITH_DEFAULT, ids=lambda setting: setting.name)
def test_what_a_setting_shows_as_its_default_can_be_given_from_each_source(setting):
    shown = setting.show(setting.default)
    text = "0" if setting.unit is Unit.SIZE and shown == "none" else shown
    assert load(**{setting.name: text}) == load({setting.variable: text}) == load()


def test_the_file_of_the_current_directory_is_read_when_none_is_named():
    Path("cheesebox.toml").write_text('port = 1\nfresh_for = 2.5\naccess_log = false\nmax_size = "1KB"\n')
    settings = load()
    assert (settings.port, settings.index.fresh_for) == (1, 2.5)
    assert (settings.access_log, settings.max_size) == (False, 1000)


def test_a_variable_can_name_the_file_and_the_command_line_another():
    Path("a.toml").write_text("port = 1")
    Path("b.toml").write_text("port = 2")
    assert load({"CHEESEBOX_CONFIG": "a.toml"}).port == 1
    assert load({"CHEESEBOX_CONFIG": "a.toml"}, Path("b.toml")).port == 2


def test_an_empty_variable_counts_as_not_set():
    assert load({"CHEESEBOX_PROXY": "", "CHEESEBOX_PORT": ""}) == load()


def test_variables_that_kubernetes_makes_for_a_service_are_no_settings():
    links = {
        "CHEESEBOX_SERVICE_HOST": "10.0.0.1",
        "CHEESEBOX_SERVICE_PORT": "6283",
        "CHEESEBOX_SERVICE_PORT_HTTP": "6283",
        "CHEESEBOX_PORT": "tcp://10.0.0.1:6283",
        "CHEESEBOX_PORT_6283_TCP_ADDR": "10.0.0.1",
    }
    assert load(links) == load()


def test_urls_end_in_a_slash_and_mounts_do_not():
    index = load(upstream="http://a/simple", upstream_files="http://a/packages", mount="/a/b/").index
    assert (index.upstream, index.upstream_files) == ("http://a/simple/", "http://a/packages/")
    assert index.mount == "/a/b"


def test_a_relative_cache_directory_is_below_the_current_one(tmp_path):
    assert load(cache_dir="a/../b").cache_dir == tmp_path / "b"


def test_an_existing_ca_bundle_is_taken(tmp_path):
    (tmp_path / "ca.pem").write_text("")
    assert load(ca_bundle="ca.pem").ca_bundle == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_size", "lots", "'lots' is not a size: give bytes with an optional unit, such as 50GB,"),
        ("max_size", "0", "'0' is not more than 0"),
        ("max_size", True, "True is neither text nor a number"),
        ("fresh_for", "soon", "'soon' is not a duration: give seconds, or units from long to short,"),
        ("read_timeout", "0s", "'0s' is not more than 0"),
        ("port", "70000", "'70000' is not a port: 0 to 65535 is allowed"),
        ("retries", "-1", "'-1' is no whole number of 0 or more"),
        ("access_log", "maybe", "'maybe' is neither true nor false"),
        ("log_level", "loud", "'loud' is none of debug, info, warning, error"),
        ("log_format", "xml", "'xml' is none of text, json"),
        ("host", "a b", "'a b' is not a host name or an IP address"),
        ("status_header", "X Cache", "'X Cache' is not a header's name: letters, digits and hyphens"),
        ("name", "Py Pi", "'Py Pi' is not a name of lower-case letters, digits and hyphens"),
        ("cache_dir", "//", "'//' is not allowed: name a directory of its own"),
        ("cache_dir", "/tmp/..", "'/tmp/..' is not allowed: name a directory of its own"),
        ("cache_dir", "", "'' is no usable path"),
        (
            "cache_dir",
            "~nobody-of-that-name/x",
            "'~nobody-of-that-name/x' is no usable path: there is no such user",
        ),
        ("ca_bundle", "/nope", "'/nope' is not a file: name a PEM file of certificates"),
        ("contact", "a\nb", "'a\\nb' is no text of one line"),
        ("min_age", "a week", "'a week' is not a duration: give seconds"),
        ("undated", "maybe", "'maybe' is none of hide, keep"),
        ("default_date", "2026-02-30", "'2026-02-30' is not in the calendar: give a day such as 2026-01-31"),
        ("default_date", "today", "'today' is no moment: give a day such as 2026-01-31"),
        ("default_date", 20260131, "20260131 is no text"),
        ("exempt", "demo==1.x.y", "'demo==1.x.y' is neither a project such as requests, or some of"),
        ("exempt", 7, "7 is no list of entries: each is a project such as requests"),
        ("deny", ["demo[extra]"], "'demo[extra]' has more than a name and versions"),
        ("deny", [7], '7 is no entry: give text, or { match = "…", reason = "…" }'),
        ("deny", [{"match": "a", "why": "b"}], "{'match': 'a', 'why': 'b'} is no entry"),
        ("deny", [{"reason": "b"}], "{'reason': 'b'} is no entry"),
        ("deny", [{"match": "a", "reason": 7}], "7 is no text of one line"),
        ("allow", [], "'[]' is not a list of something: an empty one would allow nothing"),
        ("only", "eggs", "'eggs' is none of wheels, sdists"),
        ("only", {"match": "wheels", "reason": "a\nb"}, "'a\\nb' is no text of one line"),
    ],
)
def test_a_refusal_names_the_setting_the_value_and_what_is_allowed(name, value, message):
    assert refusal(**{name: value}).startswith(f"{name} (command line): {message}")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "host/simple",
        "http://",
        "http://host:port/",
        "https://h/?q",
        "http://h/#f",
        "http://a b/",
    ],
)
def test_only_a_plain_http_url_can_be_the_upstream(url):
    assert refusal(upstream=url) == (
        f"upstream (command line): {url!r} is no http or https URL such as https://index.example/simple/"
    )


@pytest.mark.parametrize("mount", ["pypi", "/", "", "/-", "/-/x", "/a//b", "/a/../b", "/a b", "/."])
def test_a_mount_is_an_absolute_path_that_is_not_the_dashboards(mount):
    assert refusal(mount=mount) == f"mount = {mount!r}: a path such as /pypi is allowed, but not / and not /-"


def test_the_first_back_off_is_at_most_the_longest():
    assert refusal(retry_after="2m") == "retry_after = 2m: at most retry_max, which is 1m, is allowed"


def test_a_refused_url_does_not_give_away_its_password():
    assert "secret" not in refusal(proxy="ftp://me:secret@host/")


def test_the_environment_and_the_file_are_named_as_the_source(tmp_path):
    config = tmp_path / "my.toml"
    config.write_text('port = "x"')
    assert refusal({"CHEESEBOX_PORT": "x"}).startswith("port (environment): 'x' is no whole number")
    assert refusal(config=config).startswith(f"port ({config}): 'x' is no whole number")


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path):
    config = tmp_path / "my.toml"
    config.write_text("max-size = 1")
    assert refusal(config=config) == f"{config}: unknown key 'max-size'; did you mean max_size?"
    assert refusal({"CHEESEBOX_PROT": "1"}) == "unknown variable CHEESEBOX_PROT; did you mean CHEESEBOX_PORT?"
    assert refusal(prot=1) == "unknown setting 'prot'; did you mean port?"
    assert refusal(zzzzzz=1) == "unknown setting 'zzzzzz'"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert refusal(config=tmp_path / "none.toml") == f"{tmp_path / 'none.toml'}: No such file or directory"
    (tmp_path / "bad.toml").write_text("port =")
    assert refusal(config=tmp_path / "bad.toml").startswith(f"{tmp_path / 'bad.toml'}: not TOML: ")
    (tmp_path / "latin.toml").write_bytes(b'contact = "\xe9"')
    assert refusal(config=tmp_path / "latin.toml").startswith(f"{tmp_path / 'latin.toml'}: not TOML: ")


@given(st.text())
def test_no_text_makes_reading_the_environment_crash(value):
    for setting in describe():
        try:
            load_settings(None, HOME | {setting.variable: value}, {})
        except SettingsError as error:
            assert setting.name in str(error)  # noqa: PT017 - most texts are refused, some are not


def test_each_setting_is_described():
    for setting in describe():
        assert setting.help, setting.name
        assert setting.variable == f"CHEESEBOX_{setting.name.upper()}"
    names = [setting.name for setting in describe()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@host/simple/", "https://host/simple/"),
        ("https://host/a@b", "https://host/a@b"),
        ("no url", "no url"),
    ],
)
def test_credentials_are_left_out_of_urls_that_are_shown(url, shown):
    assert redacted(url) == shown


def test_durations_are_finite():
    settings = load(inactive="999999999999999d")
    assert math.isfinite(settings.inactive)


def test_policies_are_read_from_a_file_with_their_reasons(tmp_path):
    config = tmp_path / "box.toml"
    config.write_text(
        """
        min_age = "7d"
        exempt = ["OurLib", "requests==2.34.2"]
        default_date = 2026-01-31
        allow = ["six"]
        deny = [{ match = "leftpad", reason = "see ticket 7" }, "evil>1,<2"]
        only = { match = "wheels", reason = "no builds" }
        """
    )
    index = load(config=config).index
    assert (index.min_age, index.undated, index.default_date) == (7 * 86400, "hide", "2026-01-31")
    assert str(index.exempt) == "ourlib requests==2.34.2"
    assert str(index.allow) == "six"
    assert [(str(entry), entry.reason) for entry in index.deny.entries] == [
        ("leftpad", "see ticket 7"),
        ("evil<2,>1", ""),
    ]
    assert (str(index.only), index.only.reason) == ("wheels", "no builds")


def test_a_list_of_the_environment_is_parted_by_spaces():
    index = load({"CHEESEBOX_DENY": " leftpad  evil==1.0 ", "CHEESEBOX_ONLY": "sdists"}).index
    assert (str(index.deny), str(index.only)) == ("leftpad evil==1.0", "sdists")


def test_a_moment_of_the_file_may_be_a_time_of_toml(tmp_path):
    config = tmp_path / "box.toml"
    config.write_text("default_date = 2026-01-31T18:00:00Z")
    assert load(config=config).index.default_date == "2026-01-31T18:00:00+00:00"
    config.write_text("default_date = 2026-01-31T18:00:00")
    assert "is no moment" in refusal(config=config)


@pytest.mark.parametrize(
    ("given", "missing"),
    [("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("tls_key_password", "tls_key")],
)
def test_tls_needs_both_a_certificate_and_a_key(tmp_path, given, missing):
    (tmp_path / "a.pem").write_text("")
    assert refusal(**{given: str(tmp_path / "a.pem")}) == f"{given}: there is no {missing}"


def test_files_for_tls_have_to_be_there():
    assert "name a PEM file with a certificate" in refusal(tls_cert="nothing.pem", tls_key="nothing.pem")


def test_workers_are_a_number_or_one_a_core(monkeypatch):
    assert load().workers == 1
    assert load(workers="3").workers == 3
    assert load(workers="auto").workers == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert load(workers="auto").workers == os.cpu_count()
    for wrong in ("0", "257"):
        assert "is not 1 to 256, or auto" in refusal(workers=wrong)
    assert "no whole number" in refusal(workers="many")
