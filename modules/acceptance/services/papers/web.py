"""A sheet as one web page that needs nothing beside itself and prints on A4."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from modules.acceptance.services.papers.codes import qr_png
from modules.acceptance.services.papers.sheet import Block, Facts, Grid, Sheet, Signatures, Words
from modules.acceptance.services.papers.xml_text import xml_safe

_STYLE = """@page{size:A4;margin:18mm 22mm}body{font:11pt/1.6 "Noto Sans SC","Microsoft YaHei",SimSun,sans-serif;
max-width:166mm;margin:0 auto;color:#000}h1{font-size:24pt;letter-spacing:.3em;text-align:center;margin:.2em 0;
border-bottom:3px double #000}p{margin:.4em 0}.hall{text-align:center;font-size:13pt}.body{text-indent:2em}
.heading{font-weight:600}table{border-collapse:collapse;width:100%;margin:.6em 0}td,th{border:1px solid #8a94a0;
padding:.2em .5em;text-align:left;font-weight:400}thead{background:#f3f5f7}.facts td:nth-child(odd){background:#f3f5f7}
.center{text-align:center}.right{text-align:right}.codes{display:flex;justify-content:space-between;align-items:center}
.sign{display:flex;justify-content:space-between;white-space:pre-line;margin-top:2em}
.sign :last-child{text-align:center}footer{color:#5b6675;font-size:8pt;margin-top:2em}"""


def html_of(sheet: Sheet) -> bytes:
    """The page in UTF-8; the QR code is inside it. It loads nothing: its policy forbids it."""
    codes = ""
    if sheet.number:
        picture = b64encode(qr_png(sheet.case_id, sheet.number)).decode("ascii")
        codes = (
            f'<div class="codes"><p>编号<br><strong>{_text(sheet.number)}</strong></p>'
            f'<img alt="二维码 {_text(sheet.number)}" width="104" src="data:image/png;base64,{picture}"></div>'
        )
    body = "".join(map(_block, sheet.blocks))
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{_text(f'{sheet.title} {sheet.number}'.strip())}</title><style>{_STYLE}</style></head><body>"
        f'<p class="hall">{_text(sheet.hall)}</p><h1>{_text(sheet.title)}</h1>{codes}{body}'
        f"<footer>{_text(sheet.foot)}</footer></body></html>\n"
    ).encode()


def _text(text: str) -> str:
    return escape(xml_safe(text)).replace("\n", "<br>")


def _block(block: Block) -> str:
    match block:
        case Words(text, style):
            return f'<p class="{style}">{_text(text)}</p>'
        case Facts(pairs):
            rows = [*pairs, ("", "")][: len(pairs) + len(pairs) % 2]
            lines = [
                "".join(f"<td>{_text(text)}</td>" for text in (*rows[place], *rows[place + 1]))
                for place in range(0, len(rows), 2)
            ]
            return f'<table class="facts">{"".join(f"<tr>{line}</tr>" for line in lines)}</table>'
        case Grid(head, rows_, _, aligns, total):
            top = "".join(f"<th>{_text(text)}</th>" for text in head)
            lines = [
                "".join(f'<td class="{align}">{_text(text)}</td>' for text, align in zip(row, aligns, strict=True))
                for row in [*rows_, *([total] if total else [])]
            ]
            body = "".join(f"<tr>{line}</tr>" for line in lines)
            return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
        case Signatures(left, right):
            return f'<div class="sign"><div>{_text(left)}</div><div>{_text(right)}</div></div>'
