"""What a copy is."""

from __future__ import annotations

import re

from tests.support.screens import recorded, settled

SIZE = (120, 40)


async def test_what_is_copied() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        app = pilot.app
        await pilot.press("j", "j", "j", "y")
        assert re.fullmatch(r'QueryPathInfo\(path="/nix/store/.*-greeting.txt"\)', app.clipboard)
        await pilot.press("Y")
        assert '"operation": "QueryPathInfo"' in app.clipboard
        await pilot.press("tab", "j", "j", "y")
        assert app.clipboard.startswith("/nix/store/")
        await pilot.press("ctrl+y")
        assert bytes.fromhex(app.clipboard)[8:].startswith(b"/nix/store/")
        await pilot.press("k", "k", "Y")
        assert app.clipboard.startswith('{"path": "/nix/store')
