"""Layouts tell what each version brought."""

from __future__ import annotations


def test_a_layout_tells_what_each_version_brought(site: dict[str, str]) -> None:
    page = site["operations/QueryPathInfo.html"]
    assert "info.valid" in page
    assert "info.ultimate" in page
    page = site["operations/AddToStore.html"]
    assert "+ method" in page
    assert "− fixed" in page
