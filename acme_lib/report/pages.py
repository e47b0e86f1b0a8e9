"""Pages for the instructor: one HTML file each, which needs no network and runs nothing.

Whatever comes from outside (names, questions, code) goes through `escape`, and a policy in the page keeps
a browser from running or loading anything even so.
"""

import html
import unicodedata

_STYLE = """
:root { color-scheme: light; }
body { font: 17px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: clamp(1.35rem, 4.5vw, 1.7rem); line-height: 1.2; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 0.5rem; border-bottom: 1px solid #bbccdd; }
figure { margin: 1rem 0; } figcaption { color: #333; font-size: 0.95rem; }
.wide { overflow-x: auto; } .wide:focus { outline: 2px solid #0072b2; }
table { border-collapse: collapse; font-size: 0.95rem; }
caption { text-align: left; color: #333; padding-bottom: 0.4rem; } caption div { max-width: calc(100vw - 2rem); }
th, td { text-align: left; padding: 0.25rem 1.1rem 0.25rem 0; vertical-align: top; border-bottom: 1px solid #dde4ea; }
th[scope="row"] { font-weight: normal; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; margin: 0.8rem 0; }
dt { color: #333; } dd { margin: 0; }
ul.names { padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; }
ul.names li { overflow-wrap: anywhere; }
.note { background: #f3f6f9; border-left: 4px solid #0072b2; padding: 0.6rem 0.9rem; }
pre { background: #f3f6f9; padding: 0.6rem; overflow-x: auto; font-size: 0.85rem; line-height: 1.4; margin: 0.3rem 0; }
mark { background: #fff0c2; color: inherit; border-bottom: 2px solid #b36b00; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 0 1rem; }
.pair > div { min-width: 0; }
summary { cursor: pointer; padding: 0.3rem 0; }
""".strip()


def escape(text):
    """Write any text as HTML; characters that would hide or turn other text are shown by their number.

    >>> escape('<b>"ada"</b>')
    '&lt;b&gt;&quot;ada&quot;&lt;/b&gt;'
    """
    shown = "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else f"\\x{ord(c):02x}" for c in str(text))
    return html.escape(shown, quote=True)


def write_page(title, parts, *, style=""):
    """Put parts, which are HTML, into a page; `style` is CSS besides that of all pages."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{_STYLE}\n{style}</style>",
            "</head>",
            '<body id="top">',
            f"<h1>{escape(title).replace('_', '_<wbr>')}</h1>",
            *parts,
            "</body>",
            "</html>",
            "",
        ]
    )


def write_table(caption, columns, rows):
    """Return a table; a column whose name ends in ``#`` holds numbers.

    Parameters
    ----------
    caption : str
    columns : sequence of str
    rows : sequence of sequence
        Texts and numbers; the first of a row is its heading.
    """
    kinds = [' class="n"' if name.endswith("#") else "" for name in columns]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name.removesuffix("#"))}</th>'
        for name, kind in zip(columns, kinds, strict=True)
    )
    body = [
        "<tr>"
        + "".join(
            f'<th scope="row"{kind}>{escape(cell)}</th>' if index == 0 else f"<td{kind}>{escape(cell)}</td>"
            for index, (cell, kind) in enumerate(zip(row, kinds, strict=True))
        )
        + "</tr>"
        for row in rows
    ]
    return "\n".join(
        [
            f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">',
            f"<table><caption><div>{escape(caption)}</div></caption>",
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *body,
            "</tbody></table></div>",
        ]
    )


def write_names(names):
    """Return a list of names."""
    items = "".join(f"<li><bdi>{escape(name)}</bdi></li>" for name in names)
    return f'<ul class="names">{items}</ul>'


def write_facts(facts):
    """Return a list of facts, a dict of names and values."""
    return (
        "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()) + "</dl>"
    )
