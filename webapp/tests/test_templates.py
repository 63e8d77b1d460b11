"""A page's template has its URL's name; a fragment's root has its URL's name as id; the rest redirects."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.urls import get_resolver, reverse

from webapp.results.selectors import DRAWN

APPS = (
    "accounts", "notices", "catalog", "jobs", "results", "searches", "leaderboards", "releases", "reviews", "imports",
    "exports", "removals", "pages", "operations",
)  # fmt: skip
# Addresses that draw nothing of their own: they act and send on, or answer in plain text.
ACTIONS = {
    "accounts:sign_out", "accounts:demo_sign_in", "accounts:create_token", "accounts:revoke_token",
    "accounts:set_member", "accounts:remove_member", "jobs:cancel_job", "jobs:retry_job",
    "operations:healthz", "operations:readyz", "operations:metrics", "accounts:admin_sign_in",
    "accounts:set_spending_limit", "catalog:withdraw_price", "catalog:set_expert_cost", "results:price_job",
}  # fmt: skip
ACTIONS |= {"accounts:set_running_limit", "pages:pause_worker", "pages:drain_worker", "pages:resume_worker"}
ACTIONS |= {"leaderboards:save_view", "leaderboards:delete_view"}
ACTIONS |= {"searches:stop_search"}
ACTIONS |= {"pages:first_steps", "pages:see_step"}
ACTIONS |= {"results:measure"}
ACTIONS |= {"results:report_compare"}  # it leads on
ACTIONS |= {"results:compare_pairs", "results:compare_export"}  # downloads
ACTIONS |= {
    "accounts:invite", "accounts:revoke_invitation",
    "reviews:send_review", "reviews:answer_comment", "reviews:resolve_comment", "reviews:freeze_again",
    "reviews:dismiss_verdict", "reviews:withdraw_review", "reviews:publish_review", "reviews:sign_off_json",
}  # fmt: skip
ACTIONS |= {"reviews:remove_sample_comment"}
ACTIONS |= {
    "releases:release_json", "releases:release_csv", "releases:badge", "releases:withdraw_release",
    "releases:show_release",
}  # fmt: skip
ACTIONS |= {
    "accounts:password_link", "notices:open_notice", "notices:mark_read",
    "notices:renew_secret", "notices:ping_webhook", "notices:replay_delivery", "notices:delete_webhook",
}  # fmt: skip
ACTIONS |= {"imports:load_import", "imports:cancel_import"}
FRAGMENTS = {
    "pages:setup", "jobs:job_progress", "searches:search_progress",
    "jobs:entry_runs", "jobs:team_spending", "results:samples",
    "leaderboards:standings", "leaderboards:tournament_result", "results:report_result",
    "results:report_samples", "results:report_sample", "results:report_efficiency", "results:attempts",
    "results:job_curves", "results:run_curve", "results:entry_efficiency",
    "reviews:inbox_count", "reviews:review_state", "reviews:sample_comments", "notices:unread_count",
}  # fmt: skip
FRAGMENTS |= {"imports:import_state"}
SENT = {"jobs:estimate_job", "jobs:entry_choices", "searches:estimate_search"}
FRAGMENTS |= SENT
ACTIONS |= {"removals:hand_over"}
FRAGMENTS |= {"removals:removal_state"}
BOTH = {"results:samples"}
FOLDER = settings.BASE_DIR / "templates"
TAGS = settings.BASE_DIR / "webapp/pages/templatetags"
# Ours takes the place of a library's own template, under its name.
INSTEAD_OF_OTHERS = {"drf_spectacular/swagger_ui.html"}


def url_names() -> list[str]:
    spaces = get_resolver().namespace_dict
    return sorted(f"{app}:{name}" for app in APPS for name in spaces[app][1].reverse_dict if isinstance(name, str))


def file_of(name: str, mark: str = "") -> str:
    app, _, page = name.partition(":")
    return f"{app}/{mark}{page}.html"


PAGES = [name for name in url_names() if name not in ACTIONS | FRAGMENTS] + sorted(BOTH)
SIGNED_OUT = {"accounts:sign_in", "accounts:sign_up"}
FOR_OPERATORS = {"operations:disk_usage"}


class Roots(HTMLParser):
    """The ids of the elements that stand at the top."""

    VOID = {"input", "br", "img", "meta", "link", "hr", "path", "rect"}

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.roots = 0, []

    def handle_starttag(self, tag, attrs):
        if self.depth == 0:
            self.roots.append(dict(attrs).get("id"))
        self.depth += tag not in self.VOID

    def handle_endtag(self, tag):
        self.depth -= tag not in self.VOID


@pytest.mark.parametrize("name", PAGES)
def test_page_is_drawn_by_the_template_of_its_name(name, client, alice, addresses):
    if name not in SIGNED_OUT:
        client.force_login(alice)
    alice.is_staff = name in FOR_OPERATORS
    alice.save()

    response = client.get(reverse(name, args=addresses.get(name, ())))

    assert response.status_code == 200
    drawn = [one.name for one in response.templates]  # parts that tags drew before the page began come first
    assert next(one for one in drawn if not one.startswith("components/")) == file_of(name)
    assert "<h1" in response.content.decode()


@pytest.mark.parametrize("name", sorted(FRAGMENTS))
def test_fragment_has_one_root_named_like_its_address(name, client, alice, addresses):
    client.force_login(alice)
    send = client.post if name in SENT else client.get

    response = send(reverse(name, args=addresses.get(name, ())), headers={"HX-Request": "true"})

    assert response.templates[0].name == file_of(name, "_")
    parser = Roots()
    parser.feed(response.content.decode())
    assert parser.roots == [name.partition(":")[2]]
    assert parser.depth == 0


def test_no_template_is_left_over():
    known = {file_of(name) for name in PAGES} | {file_of(name, "_") for name in FRAGMENTS} | {"base.html", "error.html"}
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.html")}

    assert {path for path in found if not path.startswith("components/")} == known | INSTEAD_OF_OTHERS


def test_every_component_is_used():
    sources = [path.read_text() for path in FOLDER.rglob("*.html")]
    sources += [f'"{view.template}"' for _, view in DRAWN.values()]
    sources += [tag.read_text() for tag in TAGS.glob("*.py")]
    unused = [
        path.name
        for path in (FOLDER / "components").glob("*.html")
        if not any(f'"components/{path.name}"' in source for source in sources)
    ]

    assert unused == []


def test_templates_hold_no_inline_script_or_style():
    """A strict Content-Security-Policy refuses them."""
    inline = re.compile(r"<script(?![^>]*\bsrc=)|\bstyle=|<style|\son[a-z]+=|hx-on|javascript:")
    guilty = [path.name for path in FOLDER.rglob("*.html") if inline.search(path.read_text())]

    assert guilty == []


def test_templates_are_short():
    long = {path.name: n for path in FOLDER.rglob("*.html") if (n := len(path.read_text().splitlines())) > 150}

    assert long == {}
