"use strict";
// Search over index.js. Every word must occur. Names that are explained come first, then the text
// of sections. A number is a number: 26 is neither in 1.26 nor in 0x26, but it is 0x1a.
(() => {
  const up = document.currentScript.dataset.up;
  const input = document.getElementById("search");
  const list = document.getElementById("hits");
  const MOST = 40, AROUND = 60;
  let chosen = -1;
  // beside the text the menu is open, above it it would be in the way
  const menu = document.getElementById("menu"), wide = matchMedia("(min-width: 52.01rem)");
  const fold = () => { menu.open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();

  function pattern(word) {
    const ways = [word];
    if (/^(\d{1,19}|0x[0-9a-f]{1,16})$/.test(word)) {
      const value = BigInt(word);
      ways.push(value.toString(), "0x" + value.toString(16));
    }
    const escaped = ways.map((way) => way.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const number = /^[\d.]+$|^0x/.test(word);
    return new RegExp(number ? `(?<![\\w.])(?:0x0*)?(${escaped.join("|")})(?![\\w]|\\.\\d)` : escaped[0], "i");
  }

  function rank(entry, words, patterns) {
    const name = entry[0].toLowerCase();
    const all = entry[0] + " " + entry[1] + " " + entry[2];
    if (!patterns.every((each) => each.test(all))) return -1;
    if (name === words[0]) return 0;
    if (name.startsWith(words[0])) return 1 + name.length / 1000;
    if (patterns[0].test(name)) return 2 + name.length / 1000;
    return 3;
  }

  function found(words) {
    const patterns = words.map(pattern);
    const names = window.MANUAL.names
      .map((entry) => [rank(entry, words, patterns), entry])
      .filter((hit) => hit[0] >= 0)
      .sort((a, b) => a[0] - b[0])
      .map(([, [words, kind, said, href]]) => ({ title: words, href, said: kind + (said ? " – " + said : "") }));
    const texts = window.MANUAL.sections
      .filter(([title, , text]) => patterns.every((each) => each.test(title) || each.test(text)))
      .map(([title, href, text]) => ({ title, href, said: around(text, patterns) }));
    const named = names.slice(0, Math.max(MOST / 2, MOST - texts.length));
    return [...named, ...texts.slice(0, MOST - named.length)];
  }

  function around(text, patterns) {
    const hit = patterns.map((each) => each.exec(text)).find(Boolean);
    const at = hit ? hit.index : 0;
    const start = Math.max(0, at - AROUND), end = at + AROUND + 20;
    return (start ? "…" : "") + text.slice(start, end) + (end < text.length ? "…" : "");
  }

  function marked(element, text, patterns) {
    const hit = patterns.map((each) => each.exec(text)).find(Boolean);
    if (!hit) return element.append(text);
    const mark = document.createElement("mark");
    mark.append(hit[0]);
    element.append(text.slice(0, hit.index), mark, text.slice(hit.index + hit[0].length));
  }

  function show() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words.length ? found(words) : [];
    const patterns = words.map(pattern);
    list.replaceChildren(
      ...hits.map(({ title, href, said }, i) => {
        const item = document.createElement("li");
        item.id = "hit-" + i;
        item.setAttribute("role", "option");
        const link = document.createElement("a");
        link.href = up + href;
        link.tabIndex = -1;
        const name = document.createElement("span");
        marked(name, title, patterns);
        const small = document.createElement("small");
        marked(small, said, patterns);
        link.append(name, " ", small);
        item.append(link);
        return item;
      })
    );
    if (words.length && !hits.length) {
      const item = document.createElement("li");
      item.append("Nothing found");
      list.append(item);
    }
    list.hidden = !words.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    choose(hits.length ? 0 : -1);
  }

  function choose(number) {
    const items = list.querySelectorAll("[role=option]");
    if (items[chosen]) items[chosen].removeAttribute("aria-selected");
    chosen = items.length ? (number + items.length) % items.length : -1;
    if (items[chosen]) {
      items[chosen].setAttribute("aria-selected", "true");
      items[chosen].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", items[chosen].id);
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
      event.preventDefault();
    } else if (event.key === "Enter") {
      const link = document.querySelector("#hits [aria-selected=true] a");
      if (link) {
        location.href = link.href;
        input.value = "";
        show();
      }
    } else if (event.key === "Escape") {
      input.value = "";
      show();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== input) {
      input.focus();
      event.preventDefault();
    }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".search")) list.hidden = true;
  });
})();
