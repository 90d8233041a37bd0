"""The colours of the style sheet can be told apart (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re

import pytest

from cheesebox.web.dashboard import assets

CSS = assets.load()["css"].body.decode()
_LIGHT, _DARK = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
PALETTES = {
    name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
    for name, block in (("light", _LIGHT), ("dark", _DARK))
}
TEXTS = ("text", "quiet", "link", "good", "warn", "bad")
SHAPES = ("good", "warn", "bad", "hit", "saved", "reserved", "focus")

each_palette = pytest.mark.parametrize("palette", PALETTES.values(), ids=list(PALETTES))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_both_palettes_name_the_same_colours():
    assert PALETTES["light"].keys() == PALETTES["dark"].keys()


def test_the_measure_is_right():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@each_palette
@pytest.mark.parametrize("ground", ["page", "raised"])
@pytest.mark.parametrize("ink", TEXTS)
def test_text_can_be_read(palette, ground, ink):
    assert contrast(palette[ink], palette[ground]) >= 4.5


@each_palette
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_stand_out_from_the_page(palette, shape):
    assert contrast(palette[shape], palette["page"]) >= 3


@each_palette
@pytest.mark.parametrize(("one", "other"), [("hit", "miss"), ("saved", "fetched")])
def test_the_parts_of_a_bar_can_be_told_apart_without_their_hue(palette, one, other):
    assert contrast(palette[one], palette[other]) >= 1.3


def test_no_colour_is_given_outside_the_palette():
    rest = CSS.replace(_LIGHT, "").replace(_DARK, "")
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", rest)
    assert "@import" not in CSS
    assert "url(" not in CSS
