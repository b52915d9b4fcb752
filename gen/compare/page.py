"""The comparison as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from sevedo.gen.compare.result import Row, cells, legend, ratios

_STYLE = """
:root { color-scheme: light dark; --line: #ccc; --soft: #f4f4f4; }
@media (prefers-color-scheme: dark) { :root { --line: #444; --soft: #222; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead { background: var(--soft); }
.wide { overflow-x: auto; }
img { max-width: 100%; background: #fff; border-radius: 6px; }
footer, .note { color: #777; font-size: 13px; }
"""


def page(
    rows: Sequence[Row], libraries: Sequence[str], figure: bytes, facts: Sequence[tuple[str, str]]
) -> str:
    """HTML with nothing to fetch: tables, figure, and how it was measured.

    Parameters
    ----------
    rows, libraries : what was measured
    figure : a PNG
    facts : what should be known of the run, name and value
    """
    tables = []
    for library in libraries or (None,):
        heads, texts = cells(rows, library)
        body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in texts)
        tables.append(
            (f"<h2>{escape(library)}</h2>" if library else "")
            + '<div class="wide"><table><thead><tr>'
            + "".join(f"<th>{escape(head)}</th>" for head in heads)
            + f"</tr></thead><tbody>{body}</tbody></table></div>"
        )
    marks = "".join(
        f"<li>{escape(ratio.text())}: {'met' if ratio.met else 'missed'}</li>" for ratio in ratios(rows)
    )
    told = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts)
    image = base64.b64encode(figure).decode()
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>SeVeDo: scale schemes compared</title><style>{_STYLE}</style></head><body>\n"
        "<h1>Scale schemes compared</h1>\n"
        f'<p class="note">{escape(legend())}</p>\n'
        f'<img alt="error against area, area by part and energy by part" src="data:image/png;base64,{image}">\n'
        + "\n".join(tables)
        + (f"\n<h2>Marks</h2><ul>{marks}</ul>" if marks else "")
        + f'\n<h2>How</h2><div class="wide"><table><tbody>{told}</tbody></table></div>\n'
        "<footer>No wires, no glitches, no clock tree: loads are input pins, a net changes at most once in a cycle. "
        "Ratios within one run mean something, absolute figures are lower bounds.</footer>\n</body></html>\n"
    )
