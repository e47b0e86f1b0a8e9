"""What Sphinx is told to do in its own way here: formulas as MathML, and names in docstrings that find their target."""

import re

from docutils import nodes
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from acme_lib.build.mathml import FormulaError, formula


def setup(app):
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    app.connect("missing-reference", _find_by_last_name)
    app.connect("html-page-context", _correct_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def heading_anchor(title):
    """Return the anchor of a heading as JupyterLab makes it, so that links work in both."""
    return title.strip().replace(" ", "-")


def _correct_roles(app, page, template, context, document):
    """Leave out the roles that docutils gives to a list of references: a list may not hold what is no list item."""
    body = context.get("body", "").replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    context["body"] = body.replace(' role="doc-biblioentry"', "")


def _visit_inline(writer, node):
    _write(writer, node, False)


def _visit_block(writer, node):
    writer.body.append('<div class="math">')
    for latex in node.astext().split("\n\n"):
        _write(writer, node, True, latex)
    writer.body.append("</div>")
    raise nodes.SkipNode


def _write(writer, node, block, latex=None):
    try:
        writer.body.append(formula(latex or node.astext(), block))
    except FormulaError as error:
        logging.getLogger(__name__).warning(str(error), location=node)
    if not block:
        raise nodes.SkipNode


def _find_by_last_name(app, environment, node, contents):
    """Find the one documented name that ends as a name in single backticks says; what is none is code."""
    if node.get("refdomain") != "py" or node.get("reftype") != "obj":
        return None
    wanted = re.sub(r"^acme(_lib)?\.|\(\)$", "", node["reftarget"])
    objects = environment.get_domain("py").objects
    found = {name: entry for name, entry in objects.items() if name == wanted or name.endswith(f".{wanted}")}
    if len(found) > 1:  # of a name and methods called so, the name
        found = {
            name: entry for name, entry in found.items() if entry.objtype not in ("method", "attribute", "property")
        }
    if len(found) != 1:
        return nodes.literal("", node.astext(), classes=["py"])
    ((name, entry),) = found.items()
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contents, name)
