"""The page's only style sheet, and the policy that lets the browser take this one and nothing else."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #fff; --raised: #f6f7f9; --ink: #1b1f24; --quiet: #57606a; --line: #d5dae0; --link: #0a56b0;
  --good: #17692d; --good-tint: #edf7ef; --bad: #a9141d; --bad-tint: #fdf0ef; --unsure: #7a4b00; --unsure-tint: #fdf5e3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --raised: #1c2026; --ink: #e4e8ec; --quiet: #a2abb6; --line: #343b44; --link: #8fbcf7;
    --good: #74cf8f; --good-tint: #15251b; --bad: #ff9089; --bad-tint: #2e1819;
    --unsure: #efb95d; --unsure-tint: #2a2111;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0 auto; max-width: 68rem; padding: 0 1.5rem 1.5rem; overflow-wrap: anywhere;
  background: var(--page); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; font-variant-numeric: tabular-nums;
}
p, ul, ol, dl, figure, h1, h2 { margin: 0; }
a { color: var(--link); text-underline-offset: .15em; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: .2rem; }
code {
  display: inline-block; max-width: 100%; font: .9em/1.4 ui-monospace, monospace;
  padding: .1em .3em; border-radius: .25rem; background: var(--raised);
}
.quiet { color: var(--quiet); font-size: .9rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .unsure { color: var(--unsure); }
.sprite { display: none; }
.icon { width: 1em; height: 1em; flex: none; vertical-align: -.125em; margin-right: .45em; }
header {
  display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .25rem 1.5rem;
  padding: 1rem 0;
}
header .quiet { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; }
header a { padding: .25rem 0; }
time { white-space: nowrap; }
td.good { color: inherit; } td.good .icon { color: var(--good); }
.brand { font-weight: 600; }
main > * { margin-bottom: 1.5rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin-bottom: .6rem; }
.state, .notice { color: var(--ink); border-radius: .5rem; padding: 1.1rem 1.4rem; border-left: .4rem solid; }
.state.good { background: var(--good-tint); border-color: var(--good); }
.state.bad, .notice.bad { background: var(--bad-tint); border-color: var(--bad); }
.state.unsure, .notice.unsure { background: var(--unsure-tint); border-color: var(--unsure); }
.state code, .notice code { background: var(--page); }
h1 { display: flex; align-items: center; font-size: clamp(1.6rem, 4.5vw, 2.2rem); line-height: 1.2; }
.good h1 { color: var(--good); }
.bad h1, .notice.bad h2 { color: var(--bad); }
.unsure h1, .notice.unsure h2 { color: var(--unsure); }
.lead { font-size: 1.15rem; margin: .35rem 0 .5rem; }
.state p + p { margin-top: .35rem; }
.notice ul:not(.names), .notice ol { padding-left: 1.3rem; }
.notice li + li { margin-top: .3rem; }
.names { list-style: none; padding: 0; margin: .35rem 0 .6rem; overflow: clip; }
.names bdi { font-weight: 600; font-size: 1.15rem; }
.facts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1rem 1.5rem;
}
dt { color: var(--quiet); font-size: .9rem; }
dd { margin: 0; font-size: 1.3rem; line-height: 1.35; }
dd span { display: block; line-height: 1.4; }
table { border-collapse: separate; border-spacing: 0; width: 100%; }
caption { text-align: left; color: var(--quiet); font-size: .9rem; padding-bottom: .5rem; }
th, td { padding: .45rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
tr > :first-child { padding-left: .25rem; } tr > :last-child { padding-right: .25rem; }
thead th {
  position: sticky; top: 0; z-index: 1; background: var(--page); border-bottom: 2px solid var(--line); font-weight: 600;
}
thead a { display: inline-block; padding: .2rem 0; }
tbody th {
  font-weight: 500; white-space: normal; min-width: 9rem; max-width: 30rem; unicode-bidi: isolate; overflow: clip;
}
tbody tr:hover > * { background: var(--raised); }
.plot { display: grid; grid-template-columns: 4.5rem 1fr; gap: .3rem .6rem; margin: .6rem 0; font-size: .8rem; }
.plot svg { width: 100%; overflow: visible; }
.scale, .bars { height: 9rem; }
.scale text { fill: var(--quiet); text-anchor: end; dominant-baseline: middle; }
.bars line { stroke: var(--line); }
.bars rect { fill: var(--link); }
.bars rect.failed { fill: var(--bad); }
.plot .mark { width: 1px; height: 1px; }
.mark path { stroke: var(--bad); stroke-width: 1.8; stroke-linecap: round; transform: translateY(-7px); }
.span { grid-column: 2; display: flex; justify-content: space-between; color: var(--quiet); }
footer { border-top: 1px solid var(--line); padding-top: 1rem; }
footer ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; }
footer a { display: inline-block; padding: .3rem 0; }
@media (max-width: 48rem) {
  body { padding: 0 1rem 1rem; }
  .state, .notice { padding: .9rem 1rem; }
  .facts { grid-template-columns: 1fr 1fr; }
  .scroll { overflow-x: auto; margin: 0 -1rem; }
  .scroll:focus-visible { outline-offset: -3px; }
  caption span { position: sticky; left: 1rem; display: inline-block; max-width: calc(100vw - 2rem); }
  caption { padding-left: 1rem; }
  th, td { padding: .45rem .5rem; }
  tr > :first-child { position: sticky; left: 0; padding-left: 1rem; background: var(--page); z-index: 2; }
  tr > :last-child { padding-right: 1rem; }
  tbody th { min-width: 7.5rem; max-width: 9.5rem; border-right: 1px solid var(--line); }
  .plot { grid-template-columns: 3.6rem 1fr; }
}
@media print { header a, nav { display: none; } }
"""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src data:; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
"""Allows this page's own style sheet, and the icon that is in the page itself; no address is ever asked for either."""
