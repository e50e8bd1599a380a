"""The stories on a real browser: Debian's Chromium, our server, a house in memory. Screenshots go to docs/images.

Set ``INCUMBENT_SCREENSHOTS=1`` to write them anew.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from controller.entrypoints.api.context import LoginLinks
from controller.entrypoints.api.serve import Server
from tests.support.house import MODEL
from tests.support.page import Office
from tests.support.story import drifted, tell, told

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
KEY = "a key of the test"
SEEN = ("", "decisions/{held}", "decisions/12", f"models/{MODEL}", "models", "signals", "runs", f"runs/{MODEL}.r9",
        "policies", f"policies/{MODEL}", "drift", "messages", "messages/2", f"models/{MODEL}/versions/4",
        "audit", "system", "login")  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"port": 0})
    tell(office)
    drifted(office)
    told(office, _held(office))
    return office


@pytest.fixture
def server(office: Office) -> Iterator[Server]:
    house = office.house
    with Server(
        office.settings, house.store, clock=house.clock, parse=house.parse, key=KEY,
        decide_until_idle=house.engine.decide_until_idle, artifacts=office.artifacts,
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def held(office: Office) -> int:
    """The decision that waits for a person."""
    return _held(office)


def _held(office: Office) -> int:
    return max(r.id for r in office.house.records() if '"verdict":"hold"' in r.decision)


def visit(browser: Browser, server: Server, actor: str = "person:ana", **how: object) -> Page:
    """Log in by the one-time link."""
    context: BrowserContext = browser.new_context(**how)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(f"{server.url}go?key={LoginLinks.new(KEY, actor)}")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(server.url)
    return page


def test_a_held_decision_is_understood_approved_and_becomes_champion(
    browser: Browser, server: Server, office: Office, held: int
):
    page = visit(browser, server)
    page.get_by_role("link", name=f"{MODEL} v5", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("v5 against champion v4")
    expect(page.get_by_role("img", name=re.compile("^better: gain 0.28"))).to_be_visible()
    expect(page.get_by_text("Verified: derived again")).to_be_visible()
    page.get_by_label("Reason to approve (needed)").fill("the gain is worth it")
    page.get_by_role("button", name="Approve v5").click()
    expect(page.get_by_role("status")).to_contain_text("v5 replaces v4 as champion")
    assert office.house.champion == 5


def test_a_double_click_approves_once(browser: Browser, server: Server, office: Office, held: int):
    page = visit(browser, server)
    page.goto(f"{server.url}decisions/{held}")
    before = len(office.house.statuses())
    page.get_by_label("Reason to approve (needed)").fill("twice")
    page.get_by_role("button", name="Approve v5").dblclick(no_wait_after=True)
    expect(page.get_by_role("status")).to_contain_text("as champion")
    assert len(office.house.statuses()) == before + 1


def test_a_bad_champion_is_rolled_back(browser: Browser, server: Server, office: Office):
    page = visit(browser, server)
    page.goto(f"{server.url}models/{MODEL}")
    page.get_by_label("Reason to rollback (needed)").fill("complaints from the gate")
    page.get_by_role("button", name="Roll back v4").click()
    expect(page.get_by_role("status")).to_contain_text("verifies that v3 still answers")
    office.house.work()
    assert office.house.champion == 3
    page.reload()
    expect(page.get_by_text("On hold since")).to_be_visible()


def test_a_reviewer_without_the_role_is_told_why(
    browser: Browser, server: Server, office: Office, held: int
):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.url}decisions/{held}")
    page.get_by_label("Token").fill(office.token("person:eve", "viewer"))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("v5 against champion v4")
    button = page.get_by_role("button", name="Approve v5")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(re.compile("takes the role reviewer"))


def test_two_reviewers_race_and_the_second_is_told(
    browser: Browser, server: Server, office: Office, held: int
):
    pages = [visit(browser, server, actor) for actor in ("person:ana", "person:ben")]
    for page in pages:
        page.goto(f"{server.url}decisions/{held}")
        page.get_by_label("Reason to approve (needed)").fill("mine")
    pages[0].get_by_role("button", name="Approve v5").click()
    expect(pages[0].get_by_role("status")).to_contain_text("as champion")
    pages[1].get_by_role("button", name="Approve v5").click()
    expect(pages[1].get_by_role("status")).to_contain_text("does not wait for approval")
    assert office.house.champion == 5


def test_the_network_drops_in_the_middle_and_the_second_try_counts_once(
    browser: Browser, server: Server, office: Office, held: int
):
    page = visit(browser, server)
    page.goto(f"{server.url}decisions/{held}")
    before = len(office.house.statuses())
    page.get_by_label("Reason to approve (needed)").fill("try")
    page.context.set_offline(True)
    page.get_by_role("button", name="Approve v5").click()
    page.wait_for_url(re.compile("chrome-error|words"))
    page.context.set_offline(False)
    page.goto(f"{server.url}decisions/{held}")
    page.get_by_label("Reason to approve (needed)").fill("again")
    page.get_by_role("button", name="Approve v5").click()
    expect(page.get_by_role("status")).to_contain_text("as champion")
    assert len(office.house.statuses()) == before + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_nothing_breaks_the_policy(
    browser: Browser, server: Server, held: int, scheme: str
):
    page = visit(browser, server, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    found = []
    for path in SEEN:
        page.goto(server.url + path.format(held=held))
        violations = Axe().run(page).response["violations"]
        found += [
            f"{path}: {one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in violations
            if one["impact"] in {"serious", "critical"}
        ]
    assert found == []
    assert said == []


def test_curves_are_zoomed_beside_their_table(browser: Browser, server: Server):
    page = visit(browser, server)
    page.goto(f"{server.url}runs/{MODEL}.r9")
    chart = page.get_by_role("img", name="mae by step; the table has the numbers")
    expect(chart).to_be_visible()
    page.get_by_text("The numbers").click()
    expect(page.get_by_role("region", name="mae").get_by_role("row")).to_have_count(41)
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    whole = page.evaluate("document.querySelector('.u-axis, .uplot') !== null")
    page.mouse.move(box["x"] + 150, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, middle, steps=4)
    page.mouse.up()
    assert whole
    page.get_by_role("button", name="See all").click()
    expect(chart).to_be_visible()


def test_a_phone_scrolls_one_way_only(browser: Browser, server: Server, held: int):
    page = visit(browser, server, viewport={"width": 390, "height": 844})
    for path in SEEN:
        page.goto(server.url + path.format(held=held))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_everything_can_be_read_and_done_without_javascript(
    browser: Browser, server: Server, office: Office, held: int
):
    page = visit(browser, server, java_script_enabled=False)
    page.goto(f"{server.url}decisions/{held}")
    page.get_by_label("Reason to reject (needed)").fill("not now")
    page.get_by_role("button", name="Reject v5").click()
    expect(page.get_by_role("status")).to_contain_text("v5")
    assert office.house.states()[5] == "rejected"
    page.get_by_role("link", name="Messages", exact=True).last.click()
    expect(page.get_by_text("Given up after 9 tries: feed.example said 500")).to_be_visible()
    page.get_by_role("button", name="Send 2 again").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Message 6 to feed sending")
    page.get_by_role("link", name="message 2", exact=True).click()
    expect(page.get_by_text("v5 waits for <b>approval</b>")).to_be_visible()


@pytest.mark.skipif(
    not os.environ.get("INCUMBENT_SCREENSHOTS"), reason="INCUMBENT_SCREENSHOTS is not set"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots(browser: Browser, server: Server, held: int, scheme: str):
    page = visit(browser, server, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    IMAGES.mkdir(exist_ok=True)
    for name, path in (
        ("inbox", ""),
        ("decision", f"decisions/{held}"),
        ("model", f"models/{MODEL}"),
    ):
        page.goto(server.url + path)
        page.screenshot(path=str(IMAGES / f"{name}-{scheme}.png"))
