"""The manual in a real browser: phone and desktop, light and dark, search, without a console error.

A page of our own loads the manual's pages in frames, looks, and writes what it saw into its
document, which headless Chromium prints.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
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
SECONDS = 120

LOOK = """<!doctype html><meta charset="utf-8"><pre id="seen"></pre><script>
const widths = [360, 1280], seen = [];
async function load(path, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  document.body.append(frame);
  await new Promise((done) => { frame.onload = done; frame.src = path; });
  return frame;
}
async function main() {
  for (const path of PAGES) for (const width of widths) {
    const frame = await load(path, width), page = frame.contentDocument;
    const view = frame.contentWindow;
    const style = view.getComputedStyle(page.body);
    seen.push({path, width, needs: page.documentElement.scrollWidth,
      ink: style.color, paper: style.backgroundColor,
      heading: page.querySelectorAll("h1").length, main: page.querySelectorAll("main").length,
      unnamed: [...page.querySelectorAll("a, input")].filter((each) =>
        !each.textContent.trim() && !each.labels?.length).length});
    frame.remove();
  }
  const frame = await load("operations/QueryPathInfo.html", 1280), page = frame.contentDocument;
  const input = page.getElementById("search");
  input.value = "built_outputs";
  input.dispatchEvent(new Event("input"));
  const first = page.querySelector("#hits a");
  const hits = page.querySelectorAll("#hits a").length;
  seen.push({hit: first && first.getAttribute("href"), hits});
  input.value = "no such thing at all";
  input.dispatchEvent(new Event("input"));
  seen.push({nothing: page.getElementById("hits").textContent});
  say(seen);
}
function say(what) { document.getElementById("seen").textContent = JSON.stringify(what); }
main().catch((error) => say(["" + error]));
</script>"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The manual and the page that looks at it, on a port of this machine."""
    if BROWSER is None:
        lacking("no chromium")
    folder = tmp_path_factory.mktemp("manual")
    with Specimens() as specimens:
        made = pages(specimens)
    for name, text in html.site(made, Links(made)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    wanted = [f"{page.path}.html" for page in made if page.kind != "version"]
    (folder / "look.html").write_text(LOOK.replace("PAGES", json.dumps(wanted)))
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def look(url: str, folder: Path, *options: str) -> list[dict[str, Any]]:
    """What the page that looks has seen."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--virtual-time-budget=60000", f"--user-data-dir={folder}", *options),
            *("--dump-dom", f"{url}/look.html"),
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
def test_pages_fit_and_can_be_read(served: str, dark: bool, tmp_path: Path) -> None:
    scheme = "dark" if dark else "light"
    seen = look(served, tmp_path, f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    *seen_pages, found, nothing = seen
    assert len(seen_pages) > 200
    for page in seen_pages:
        assert page["needs"] <= page["width"], page
        assert page["heading"] == page["main"] == 1
        assert page["unnamed"] == 0
        assert (light(page["paper"]) < 0.2) is dark, (scheme, page)
        assert abs(light(page["paper"]) - light(page["ink"])) > 0.6
    assert "built_outputs" in found["hit"]
    assert found["hits"] >= 1
    assert nothing["nothing"] == "Nothing found"
