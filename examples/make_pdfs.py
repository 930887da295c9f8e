#!/usr/bin/env python3
"""Typesets the PDF examples from the texts that the extraction tests compare them with.

Needs a headless Chromium and the Nanum fonts (Debian: chromium, fonts-nanum).
"""

import html
import pathlib
import re
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TEXTS = HERE.parent / "crates/document-text/fixtures"

PAGE = """<!doctype html>
<html lang="{lang}"><meta charset="utf-8"><title>{title}</title>
<style>
  @page {{ size: A4; margin: 24mm 24mm 22mm;
    @top-right {{ content: "{header}"; font: 8pt {font}; }}
    @bottom-center {{ content: "- " counter(page) " -"; font: 8pt {font}; }} }}
  body {{ font: 11pt/1.75 {font}; text-align: justify; margin: 0; }}
  h1 {{ font-size: 18pt; text-align: left; }} h2 {{ font-size: 13pt; text-align: left; break-after: avoid; }}
  p {{ margin: 0 0 0.7em; text-indent: {indent}; }}
</style>
{body}
</html>
"""


def soften(text):
    """Lets long English words break between two consonants, as a typesetter would."""
    inner = r"([a-z]{2}[bcdfglmnprstv])([bcdfglmnprstv][aeiou][a-z]{2})"
    return re.sub(inner, "\\1\u00ad\\2", text)


def typeset(name, lang, font, indent, header, pdf):
    blocks = (TEXTS / name).read_text(encoding="utf-8").strip().split("\n\n")
    body = []
    for block in blocks:
        level = len(block) - len(block.lstrip("#"))
        tag = f"h{level}" if level else "p"
        text = block.lstrip("# ")
        if not level and lang == "en":
            text = soften(text)
        body.append(f"<{tag}>{html.escape(text, quote=False)}</{tag}>")
    title = blocks[0].lstrip("# ")
    page = PAGE.format(
        lang=lang, font=font, indent=indent, title=title, header=header, body="\n".join(body)
    )
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "page.html"
        source.write_text(page, encoding="utf-8")
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
             f"--user-data-dir={folder}/profile", f"--print-to-pdf={HERE / pdf}", source.as_uri()],
            check=True, stderr=subprocess.DEVNULL,
        )


typeset("sejong.ko.txt", "ko", "NanumMyeongjo", "1em", "한국사 읽기 자료 · 세종 시대", "sejong.ko.pdf")
typeset("solar-system.en.txt", "en", "NanumMyeongjo", "0", "Reading material: astronomy", "solar-system.en.pdf")
