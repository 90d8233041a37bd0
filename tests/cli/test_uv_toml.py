import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cli.uv_toml import UvIndexes, read, with_default_index
from cheesebox.errors import SettingsError

URL = "http://127.0.0.1:6283/pypi/simple/"
OTHER = '[[index]]\nname = "torch"\nurl = "https://torch.example/simple/"\n'
PIECES = (
    "# first\n",
    "compile-bytecode = true # fast\n",
    "\n[pip]\nno-cache = true\n",
    f"\n# wheels for cards\n{OTHER}explicit = true\n",
    '\n[[index]]\nurl = "https://old.example/" # the old one\ndefault = true\n',
)
texts = st.lists(st.booleans(), min_size=len(PIECES), max_size=len(PIECES)).map(
    lambda chosen: "".join(piece for piece, taken in zip(PIECES, chosen, strict=True) if taken)
)


def without_default(text):
    values = tomllib.loads(text)
    tables = [table for table in values.pop("index", []) if not table.get("default")]
    return values, tables


@given(texts)
def test_the_default_index_is_set_and_all_else_stays(text):
    edited = with_default_index(text, URL)
    assert read(edited).default == URL
    assert without_default(edited) == without_default(text)
    for line in text.splitlines():
        assert line in edited or "old.example" in line
    assert with_default_index(edited, URL) == edited


def test_the_comment_behind_a_replaced_url_stays():
    assert f'url = "{URL}" # the old one' in with_default_index(PIECES[-1], URL)


@pytest.mark.parametrize(
    "text",
    [
        'index = [{ url = "https://torch.example/simple/" }]\n',
        'index = [{ url = "https://old.example/", default = true }]\n',
        '[[index]]\nname = "cheesebox"\nurl = "https://elsewhere.example/"\n',
        "compile-bytecode = true",
    ],
)
def test_every_way_of_writing_indexes_is_understood(text):
    edited = with_default_index(text, URL)
    assert read(edited).default == URL
    assert sum(bool(table.get("default")) for table in tomllib.loads(edited)["index"]) == 1
    assert with_default_index(edited, URL) == edited


def test_an_empty_file_gets_one_table():
    assert with_default_index("", URL) == f'[[index]]\nname = "cheesebox"\nurl = "{URL}"\ndefault = true\n'


def test_indexes_are_read_in_the_old_way_of_writing_too():
    text = f'index-url = "https://a.example/"\nextra-index-url = ["https://b.example/"]\n{OTHER}'
    assert read(text) == UvIndexes(
        "https://a.example/", ("https://torch.example/simple/", "https://b.example/")
    )


@pytest.mark.parametrize("text", ["index = 3", "index = [1]", "= broken"])
def test_what_is_not_uv_s_is_refused(text):
    with pytest.raises(SettingsError):
        with_default_index(text, URL)
