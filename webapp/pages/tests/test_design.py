"""The page of the design system shows every component, drawn or named with where it is drawn, and its colours pass."""

from __future__ import annotations

from django.conf import settings

from webapp.pages.palette import colours, contrast
from webapp.pages.specimens import parts, specimens

FOLDER = settings.BASE_DIR / "templates/components"


def test_every_component_is_on_the_page(client, db):
    response = client.get("/design/")
    page = response.content.decode()
    drawn = {template.name for template in response.templates}
    listed = {part.component for part in parts()}

    for path in FOLDER.glob("*.html"):
        shown = f"components/{path.name}" in drawn or path.stem in listed
        assert shown, path.name
        assert f">{path.stem}<" in page or path.stem == "keys", path.name


def test_a_specimen_is_drawn_by_its_own_template_and_says_something(client, db):
    response = client.get("/design/")
    drawn = [template.name for template in response.templates]

    for one in specimens():
        assert drawn.count(one.template) >= len(one.states), one.component
    assert len(specimens()) >= 18


def test_a_part_is_named_with_the_pages_that_draw_it():
    where = {part.component: part.pages for part in parts()}

    assert all(where.values()), [name for name, pages in where.items() if not pages]
    assert where["board_table"] == ["leaderboards/_standings"]
    assert "results/_report_result" in where["tournament_table"]


def test_every_colour_of_text_and_graphics_has_the_contrast_it_needs():
    assert {one.name for one in colours()} >= {"ink", "muted", "accent", "good", "bad", "wait", "hue-8"}
    assert [one.name for one in colours() if not one.passes] == []


def test_contrast_is_that_of_the_standard():
    assert round(contrast("#000000", "#ffffff"), 6) == 21
    assert contrast("#767676", "#ffffff") >= 4.5 > contrast("#777777", "#ffffff")
