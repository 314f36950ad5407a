"""Text that would do harm if it reached a terminal, or break a layout if it were measured wrong."""

HOSTILE = [
    "[bold red]markup[/] [/nothing] [@click=app.bell]x[/] [link=file:///x]y[/]",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[H \x1bP1;2q\x1b\\",
    "\x9b31m C1 \x90 \x9d0;t\x9c",
    "line\nfeed\rreturn\ttab\x0bvt\x0cff\x08\x08back\x7fdel\x00nul",
    "\u202eoverride\u202c \u2066isolate\u2069 \u200fmark \u061c",
    "zero\u200bwidth\u200d\u2060\ufeff join\u00ad\u034f",
    "combining a\u0301\u0302\u0303\u20dd",
    "wide 漢字かな ｆｕｌｌ 한국어",
    "jamo \u1112\u1161\u11ab",
    "emoji 👨\u200d👩\u200d👧 👍🏽 🇩🇪 ❤\ufe0f ⏩",
    "right to left שלום مرحبا 123 abc",
    "tags \U000e0041\U000e007f private \ue000 \U000f0000",
    "surrogates \udcff\udc80 and \ud800",
    "zalgo Z" + "\u0300\u0323\u0489" * 30,
    "x" * 5000,
    "\u0e01\u0e33\u0f71 thai tibetan",
]
