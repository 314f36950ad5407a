"""The manual in a real browser: phone and desktop, light and dark, search, without a console error.

A page of our own loads the manual's pages in frames, looks, and writes what it saw into its
document, which headless Chromium prints.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pix_inspect.teach.manual import html
from pix_inspect.teach.manual.links import Links
from pix_inspect.teach.manual.pages import pages
from pix_inspect.teach.manual.specimens import Specimens
from tests.support.surroundings import lacking

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS = 600

LOOK = """<!doctype html><meta charset="utf-8"><pre id="seen"></pre><script>
const widths = location.hash ? [1280] : [390, 768, 1280], seen = [];
async function load(path, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  document.body.append(frame);
  await new Promise((done) => { frame.onload = done; frame.src = path; });
  return frame;
}
// what ends right of the text and cannot be scrolled to
function cut(page, view) {
  const main = page.querySelector("main"), right = main.getBoundingClientRect().right + 1;
  const scrolls = (each) => each !== main && (
    /auto|scroll/.test(view.getComputedStyle(each).overflowX) || scrolls(each.parentElement));
  return [...main.querySelectorAll("*")].filter((each) =>
    each.getBoundingClientRect().right > right && !scrolls(each))
    .map((each) => each.outerHTML.slice(0, 80));
}
async function main() {
  for (const path of PAGES) for (const width of widths) {
    const frame = await load(path, width), page = frame.contentDocument;
    const view = frame.contentWindow;
    const style = view.getComputedStyle(page.body);
    const boxes = [...page.querySelectorAll(".bytes")];
    seen.push({path, width, needs: page.documentElement.scrollWidth, cut: cut(page, view),
      scrolled: boxes.filter((each) => each.scrollWidth > each.clientWidth).length,
      ink: style.color, paper: style.backgroundColor, menu: page.getElementById("menu").open,
      heading: page.querySelectorAll("h1").length, main: page.querySelectorAll("main").length,
      unnamed: [...page.querySelectorAll("a, input")].filter((each) =>
        !each.textContent.trim() && !each.labels?.length).length});
    frame.remove();
  }
  const frame = await load("operations/QueryPathInfo.html", 1280), page = frame.contentDocument;
  const input = page.getElementById("search"), found = {};
  for (const asked of ASKED) {
    input.value = asked;
    input.dispatchEvent(new Event("input"));
    found[asked] = [...page.querySelectorAll("#hits a")].map((each) => each.getAttribute("href"));
  }
  seen.push({found, nothing: page.getElementById("hits").textContent});
  say(seen);
}
function say(what) { document.getElementById("seen").textContent = JSON.stringify(what); }
main().catch((error) => say(["" + error]));
</script>"""

SEARCHES = {
    "built_outputs": "../types/BuildResult.html#layout.built_outputs",
    "26": "../operations/QueryPathInfo.html",
    "0x1a": "../operations/QueryPathInfo.html",
    "0x6e697863": "../chapters/connection.html#client",
    "1852405859": "../chapters/connection.html#client",
    "ptxc": "../chapters/log.html#tags",
    "trusted signature": "../chapters/introduction.html#daemon",
    "closure": "../chapters/glossary.html#closure",
    "daemon hung up": "../chapters/connection.html#client",
}
"""What is searched, and a place that is found."""
NOTHING = "no quetzalcoatl here"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual and the page that looks at it, as files."""
    if BROWSER is None:
        lacking("no chromium")
    folder = tmp_path_factory.mktemp("manual")
    with Specimens() as specimens:
        made = pages(specimens)
    for name, text in html.site(made, Links(made)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    wanted = [f"{page.path}.html" for page in made if page.kind != "version"]
    asked = json.dumps([*SEARCHES, NOTHING])
    text = LOOK.replace("PAGES", json.dumps(wanted)).replace("ASKED", asked)
    (folder / "look.html").write_text(text)
    return folder


def look(manual: Path, folder: Path, *options: str, part: str = "") -> list[dict[str, Any]]:
    """What the page that looks has seen: all of it, or at one width only."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--virtual-time-budget=60000", f"--user-data-dir={folder}", *options),
            # only the page that looks needs to see into others
            *(
                "--allow-file-access-from-files",
                "--dump-dom",
                (manual / "look.html").as_uri() + part,
            ),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None
    assert found.group(1), done.stderr[-2000:]
    seen: list[dict[str, Any]] = json.loads(unescape(found.group(1)))
    assert isinstance(seen[0], dict), seen
    return seen


def light(colour: str) -> float:
    """How bright a computed colour is, 0 to 1."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_fit_and_can_be_read(folder: Path, dark: bool, tmp_path: Path) -> None:
    scheme = "dark" if dark else "light"
    colours = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    seen = look(folder, tmp_path, colours, part="#wide" if dark else "")
    *seen_pages, searched = seen
    assert len(seen_pages) > (100 if dark else 300)
    for page in seen_pages:
        assert page["needs"] <= page["width"], page
        assert page["cut"] == [], page
        assert page["scrolled"] == 0, page
        assert page["menu"] is (page["width"] > 832)
        assert page["heading"] == page["main"] == 1
        assert page["unnamed"] == 0
        assert (light(page["paper"]) < 0.2) is dark, (scheme, page)
        assert abs(light(page["paper"]) - light(page["ink"])) > 0.6
    for asked, place in SEARCHES.items():
        assert place in searched["found"][asked], (asked, searched["found"][asked])
    assert searched["found"]["26"][0] == SEARCHES["26"]
    assert searched["nothing"] == "Nothing found"


@pytest.mark.slow
def test_a_page_can_be_printed(folder: Path, tmp_path: Path) -> None:
    assert BROWSER is not None
    printed = tmp_path / "page.pdf"
    page = (folder / "chapters/exercises.html").as_uri()
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/own")
    command = [BROWSER, *options, "--disable-dev-shm-usage", f"--print-to-pdf={printed}", page]
    subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
    assert printed.read_bytes().startswith(b"%PDF")
