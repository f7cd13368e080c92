"""The sample result that the tests of the report draw, and a page read back with the standard parser."""

from __future__ import annotations

import copy
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

Json = dict[str, Any]
SAMPLE = Path(__file__).parent / "fixtures" / "sample-results.json"
_LOADED: Json = json.loads(SAMPLE.read_text("utf-8"))
VOID = {"meta", "br", "hr", "img", "link", "input", "path", "circle", "rect", "use"}


def sample() -> Json:
    """A fresh copy of the sample: 26 simulated patients, every question kind, every verdict."""
    return copy.deepcopy(_LOADED)


def small_sample() -> Json:
    """The sample without what is drawn, for tests of words alone."""
    results = sample()
    results["exposure"] = {}
    for question in results["questions"]:
        question["series"] = {}
        question["estimates"] = [e for e in question["estimates"] if not e["name"].endswith("_ratio")]
    return results


class Page(HTMLParser):
    """Tags with their attributes in order, the text of each heading, and every identifier and link."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.mismatched: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"h1", "h2", "h3", "h4"} & set(self.open):
            level, words = self.headings[-1]
            self.headings[-1] = (level, words + data)

    def values(self, attribute: str) -> list[str]:
        """Every value of an attribute."""
        return [a[attribute] or "" for _, a in self.tags if attribute in a]

    def count(self, tag: str) -> int:
        """How many tags of that name there are."""
        return sum(t == tag for t, _ in self.tags)
