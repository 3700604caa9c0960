/* The style sheet of every report: one palette for the page and its charts, light or dark as the reader's system is. */
#include <stddef.h>

#include "core/page/html.h"

const char *const vgg_html_style[] = {
    /* Eight colours in an order that people with any colour vision tell apart one after the other, darker on light
     * ground and lighter on dark ground. --heat is the one hue of heat maps. What is printed is light. */
    ":root{color-scheme:light dark;--ground:#f6f6f3;--card:#fff;--ink:#1c1e21;--soft:#5d636b;--line:#e3e3de;"
    "--grid:#ecece7;--p0:#2a66c8;--p1:#d9660b;--p2:#1a8a63;--p3:#b8397f;--p4:#7a5bd0;--p5:#0f8aa0;--p6:#94702a;"
    "--p7:#6f757d;--heat:#2a66c8;--good:#177a57;--bad:#c93838;--onheat:#fff}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ground:#131518;--card:#1c1f23;--ink:#e8e9eb;--soft:#a2a9b2;"
    "--line:#30343a;--grid:#292d32;--p0:#74a7ff;--p1:#ff9a4a;--p2:#4cc79a;--p3:#f07fbc;--p4:#ac94ff;--p5:#4cc3da;"
    "--p6:#d3ac5f;--p7:#99a1ab;--heat:#74a7ff;--good:#4cc79a;--bad:#ff7b7b;--onheat:#0d1116}}\n"
    "@media print{:root{color-scheme:light;--ground:#fff}}\n",

    /* The page. */
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,\"Segoe UI\","
    "Roboto,\"Noto Sans\",\"DejaVu Sans\",sans-serif;-webkit-text-size-adjust:100%}\n"
    "main{max-width:74rem;margin:0 auto;padding:2.2rem 1.2rem 2.5rem}\n"
    "h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.01em;margin:0}\n"
    "h2{font-size:1.15rem;line-height:1.3;margin:2.2rem 0 .15rem}\n"
    ".lead,.note{color:var(--soft);margin:.35rem 0 0;overflow-wrap:anywhere}\n"
    ".note{max-width:52rem;margin:.1rem 0 0}\n"
    "p{margin:.4rem 0}\n"
    "footer{color:var(--soft);font-size:.85rem;margin-top:2.2rem}\n"
    ".grid{display:grid;gap:.9rem;margin-top:.8rem;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr))}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:0;padding:.85rem 1rem;"
    "min-width:0}\n"
    ".wide{grid-column:1/-1}\n"
    "figcaption{font-weight:600;margin-bottom:.35rem;overflow-wrap:anywhere}\n"
    ".card p{color:var(--soft)}\n",

    /* Numbers, lists, tables. */
    "dl{margin:0}dd{margin:0}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.6rem,1fr));gap:.9rem;margin-top:1.4rem}\n"
    ".tiles>div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.6rem .95rem .7rem}\n"
    ".tiles dt{color:var(--soft);font-size:.85rem}\n"
    ".tiles dd{font-size:1.5rem;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums;"
    "overflow-wrap:anywhere}\n"
    ".pairs>div{display:grid;grid-template-columns:minmax(7.5rem,34%) 1fr;gap:.9rem;padding:.28rem 0;"
    "border-top:1px solid var(--line)}\n"
    ".pairs>div:first-child{border-top:0}\n"
    ".pairs dt{color:var(--soft)}.pairs dd{overflow-wrap:anywhere}\n"
    /* What scrolls sideways has a shadow at the edge behind which there is more. */
    ".scroll{overflow:auto;max-height:42rem;background:linear-gradient(90deg,var(--card) 30%,transparent) 0 0/2rem "
    "100%,linear-gradient(270deg,var(--card) 30%,transparent) 100% 0/2rem 100%,linear-gradient(90deg,var(--line),"
    "transparent) 0 0/.7rem 100%,linear-gradient(270deg,var(--line),transparent) 100% 0/.7rem 100%;"
    "background-repeat:no-repeat;background-attachment:local,local,scroll,scroll}\n"
    "pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,\"DejaVu Sans "
    "Mono\",monospace}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th{color:var(--soft);font-weight:500;text-align:left;white-space:nowrap}\n"
    "th,td{padding:.28rem .8rem .28rem 0;border-bottom:1px solid var(--line)}\n"
    "th:last-child,td:last-child{padding-right:0}\n"
    "tbody tr:last-child td{border-bottom:0}\n"
    ".n{text-align:right;white-space:nowrap}td:not(.n){overflow-wrap:anywhere;min-width:5.5rem}\n",

    /* Charts. A narrow screen shrinks the drawing, so its letters grow. */
    "svg{display:block;width:100%;height:auto;overflow:visible}\n"
    "svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}\n"
    "svg .ink{fill:var(--ink)}.fixed{min-width:var(--least);max-width:var(--most)}\n"
    ".g{stroke:var(--grid);stroke-width:1}.a{stroke:var(--soft);stroke-width:1;opacity:.6}\n"
    ".l{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\n"
    ".d{fill:var(--c);stroke:var(--card);stroke-width:.8}.b{fill:var(--c)}.w{stroke:var(--ink);stroke-width:1.3}\n"
    ".faint{opacity:.32}.dash{stroke-dasharray:5 4}\n"
    ".h{fill:var(--heat)}svg .onheat{fill:var(--onheat)}svg .mid{fill:var(--ink)}\n"
    ".e{fill:var(--grid);opacity:.55}\n"
    ".c0{--c:var(--p0)}.c1{--c:var(--p1)}.c2{--c:var(--p2)}.c3{--c:var(--p3)}\n"
    ".c4{--c:var(--p4)}.c5{--c:var(--p5)}.c6{--c:var(--p6)}.c7{--c:var(--p7)}\n"
    ".key{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;margin:.15rem 0 .35rem;padding:0;list-style:none;"
    "color:var(--soft);font-size:.87rem}\n"
    ".key svg{display:inline-block;width:22px;height:10px;margin-right:.4rem;vertical-align:baseline}\n"
    ".parts{margin:.5rem 0 0;padding:0;list-style:none}\n"
    ".parts li{display:flex;align-items:center;gap:.6rem;padding:.28rem 0;border-top:1px solid var(--line)}\n"
    ".parts li:first-child{border-top:0}.parts i{width:10px;height:10px;border-radius:2px;background:var(--c)}\n"
    ".parts span{flex:1}.parts b{font-weight:500;font-variant-numeric:tabular-nums}\n"
    "@media (max-width:560px){svg:not(.fixed) text{font-size:14.5px}main{padding:1.3rem .8rem "
    "2rem}.card{padding:.75rem .8rem}"
    "h1{font-size:1.45rem}.tiles{grid-template-columns:1fr "
    "1fr;gap:.6rem}.gallery{grid-template-columns:repeat(auto-fill,minmax(6.4rem,1fr))}.tiles dd{font-size:1.25rem}"
    ".fixed{min-width:calc(var(--most)*.29)}.fixed text:not(.ink){font-size:15px}"
    "table{font-size:.82rem}th,td{padding-right:.45rem}th{white-space:normal}}\n",

    /* Pictures with words. */
    ".gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.4rem,1fr));gap:.9rem .8rem;margin:.5rem 0 0;"
    "padding:0;list-style:none}\n"
    ".gallery li{min-width:0;font-size:.85rem;line-height:1.35}\n"
    ".gallery img{display:block;width:100%;border-radius:7px;margin-bottom:.35rem;background:var(--grid)}\n"
    ".gallery .name{color:var(--soft);overflow-wrap:anywhere;font-size:.78rem;display:-webkit-box;"
    "-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden}\n"
    ".right{color:var(--good)}.wrong{color:var(--bad)}\n"
    ".meter{display:block;height:4px;border-radius:2px;background:var(--grid);margin:.25rem 0 .2rem;overflow:hidden}\n"
    ".meter i{display:block;height:100%;background:currentColor}\n"
    "@media print{body{font-size:12px}main{padding:0}.scroll{max-height:none}.card,.tiles>div{break-inside:avoid}}\n",

    /* Explanations: two pictures side by side, classes with their probabilities, what the colours mean. */
    ".two{display:grid;grid-template-columns:1fr 1fr;gap:.5rem}\n"
    ".two img{display:block;width:100%;border-radius:7px;background:var(--grid)}\n"
    ".classes{margin:.6rem 0 0;padding:0;list-style:none;color:var(--soft);font-size:.9rem}\n"
    ".classes li{display:grid;grid-template-columns:1fr auto;gap:0 .8rem}.classes span{overflow-wrap:anywhere}\n"
    ".classes b{font-weight:500;font-variant-numeric:tabular-nums}.classes .meter{grid-column:1/-1}\n"
    ".classes .c0{color:var(--ink)}.classes .c0 .meter{color:var(--c)}\n"
    ".legend{display:flex;align-items:center;gap:.8rem;color:var(--soft);font-size:.87rem}\n"
    ".legend img{flex:1;min-width:4rem;max-width:22rem;height:10px;border-radius:5px}\n",
    NULL,
};
