"use strict";
// Search over index.js: every word must occur; what begins with the first one comes first.
(() => {
  const up = document.currentScript.dataset.up;
  const input = document.getElementById("search");
  const list = document.getElementById("hits");
  let chosen = -1;

  function rank(entry, words) {
    const name = entry[0].toLowerCase();
    const all = (entry[0] + " " + entry[1] + " " + entry[2]).toLowerCase();
    if (!words.every((word) => all.includes(word))) return -1;
    const first = words[0];
    if (name === first) return 0;
    if (name.startsWith(first)) return 1 + name.length / 1000;
    if (name.includes(first)) return 2 + name.length / 1000;
    return 3;
  }

  function show() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words.length
      ? window.MANUAL.map((entry) => [rank(entry, words), entry])
          .filter((hit) => hit[0] >= 0)
          .sort((a, b) => a[0] - b[0])
          .slice(0, 30)
      : [];
    list.replaceChildren(
      ...hits.map(([, entry], i) => {
        const item = document.createElement("li");
        item.id = "hit-" + i;
        item.setAttribute("role", "option");
        const link = document.createElement("a");
        link.href = up + entry[3];
        link.tabIndex = -1;
        link.append(entry[0] + " ");
        const small = document.createElement("small");
        small.append(entry[1] + (entry[2] ? " – " + entry[2] : ""));
        link.append(small);
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
