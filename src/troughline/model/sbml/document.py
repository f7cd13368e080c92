"""An SBML document as it is being written: its parts in the order of SBML, and its one namespace of ids."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from troughline.model.sbml.mathml import function_definition, math_of
from troughline.model.sbml.units import UnitDefinitions

_SBML = "http://www.sbml.org/sbml/level3/version2/core"
_XHTML = "http://www.w3.org/1999/xhtml"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_QUALIFIERS = "http://biomodels.net/model-qualifiers/"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Document:
    """Collects the parts of a model; `text` is the whole document."""

    def __init__(self, identifier: str, name: str) -> None:
        self.units = UnitDefinitions()
        self.functions = set[str]()
        self._taken = set[str]()
        self._model = Element("model", id=self.free(identifier), metaid="model", name=_clean(name))
        self._parameters, self._initial = list[Element](), list[Element]()
        self._rules, self._events = list[Element](), list[Element]()

    def free(self, wanted: str) -> str:
        """An id that nothing else has: the one wanted, with underscores behind it if need be."""
        identifier = wanted
        while identifier in self._taken:
            identifier += "_"
        self._taken.add(identifier)
        return identifier

    def describe(self, notes: Sequence[str], dois: Iterable[str]) -> None:
        """What the model is, a paragraph each, and the DOIs of the papers that describe it."""
        self._model.append(_notes(notes))
        references = [f"https://identifiers.org/doi:{doi}" for doi in dois]
        if not references:
            return
        annotation = SubElement(self._model, "annotation")
        rdf = SubElement(annotation, "rdf:RDF", {"xmlns:rdf": _RDF, "xmlns:bqmodel": _QUALIFIERS})
        about = SubElement(rdf, "rdf:Description", {"rdf:about": "#model"})
        bag = SubElement(SubElement(about, "bqmodel:isDescribedBy"), "rdf:Bag")
        for reference in references:
            SubElement(bag, "rdf:li", {"rdf:resource": _clean(reference)})

    def parameter(
        self,
        identifier: str,
        value: float | None = None,
        *,
        unit: str | None = None,
        constant: bool = False,
        name: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        """A quantity: constant, or changed by rules and events."""
        element = Element("parameter", id=identifier)
        if name:
            element.set("name", _clean(name))
        if value is not None:
            element.set("value", _number(value))
        if unit is not None:
            element.set("units", unit)
        element.set("constant", "true" if constant else "false")
        if notes:
            element.append(_notes(notes))
        self._parameters.append(element)

    def initial(self, identifier: str, content: Element) -> None:
        """The value of a quantity at the start."""
        element = Element("initialAssignment", symbol=identifier)
        element.append(math_of(content))
        self._initial.append(element)

    def rule(self, identifier: str, content: Element) -> None:
        """A quantity that equals a formula at all times."""
        self._rule("assignmentRule", identifier, content)

    def rate_rule(self, identifier: str, content: Element) -> None:
        """A quantity that changes at a rate."""
        self._rule("rateRule", identifier, content)

    def _rule(self, kind: str, identifier: str, content: Element) -> None:
        element = Element(kind, variable=identifier)
        element.append(math_of(content))
        self._rules.append(element)

    def event(
        self,
        identifier: str,
        trigger: Element,
        assignments: Mapping[str, Element],
        *,
        delay: Element | None = None,
        may_be_cancelled: bool = False,
        name: str = "",
    ) -> None:
        """What happens when `trigger` becomes true, at time 0 too.

        Without a delay the assignments use the values of the moment they are made, so that two events at
        one time both count. With one they use the values of the moment the event was triggered.
        """
        element = Element("event", id=self.free(identifier))
        if name:
            element.set("name", _clean(name))
        element.set("useValuesFromTriggerTime", "false" if delay is None else "true")
        persistent = "false" if may_be_cancelled else "true"
        SubElement(element, "trigger", initialValue="false", persistent=persistent).append(math_of(trigger))
        if delay is not None:
            SubElement(element, "delay").append(math_of(delay))
        listed = SubElement(element, "listOfEventAssignments")
        for variable, content in assignments.items():
            SubElement(listed, "eventAssignment", variable=variable).append(math_of(content))
        self._events.append(element)

    def text(self) -> str:
        """The document as XML."""
        hour = self.units.canonical_of("h")
        self._model.set("timeUnits", hour or "")
        lists = (
            ("listOfFunctionDefinitions", [function_definition(name) for name in sorted(self.functions)]),
            ("listOfUnitDefinitions", self.units.elements()),
            ("listOfParameters", self._parameters),
            ("listOfInitialAssignments", self._initial),
            ("listOfRules", self._rules),
            ("listOfEvents", self._events),
        )
        for tag, elements in lists:
            if elements:
                SubElement(self._model, tag).extend(elements)
        root = Element("sbml", {"xmlns": _SBML, "xmlns:sbml": _SBML, "level": "3", "version": "2"})
        root.append(_unshared(self._model))
        indent(root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _unshared(element: Element) -> Element:
    """A copy in which a formula that stands in several places is several elements, each to be indented."""
    copy = Element(element.tag, element.attrib)
    copy.text, copy.tail = element.text, element.tail
    copy.extend(_unshared(child) for child in element)
    return copy


def _notes(paragraphs: Sequence[str]) -> Element:
    notes = Element("notes")
    body = SubElement(notes, "body", xmlns=_XHTML)
    for paragraph in paragraphs:
        SubElement(body, "p").text = _clean(paragraph)
    return notes


def _number(value: float) -> str:
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return repr(float(value)).removesuffix(".0")


def _clean(text: str) -> str:
    """The text without the control characters that XML cannot hold."""
    return _NOT_XML.sub("", text)
