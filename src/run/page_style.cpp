#include "run/page_style.h"

namespace hone {

// Series colours are told apart with the common colour-vision deficiencies (after Okabe and Ito), lighter on dark.
std::string page_style() {
  return R"css(
:root{color-scheme:light dark;--page:#fbfbfa;--card:#fff;--ink:#1b1f24;--soft:#5c6570;--line:#dfe2e6;--track:#eceef1;
--c0:#0b6fb8;--c1:#b85a00;--c2:#0b7d5d;--c3:#b3478f;--c4:#7d6300;--c5:#2a76b8;--c6:#b5342f;--c7:#666a71}
@media(prefers-color-scheme:dark){:root{--page:#121519;--card:#1a1e24;--ink:#e8eaed;--soft:#9aa4af;--line:#2d333b;--track:#262b32;
--c0:#5ab0ee;--c1:#f09a4a;--c2:#3ec79c;--c3:#df86c1;--c4:#d8b93c;--c5:#8fc6f7;--c6:#f07f77;--c7:#a8adb4}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1040px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:26px;line-height:1.25;margin:0;overflow-wrap:anywhere}
header+.scroll,header+dl.box,.scroll+dl.box,.cards+.scroll,.cards+.box{margin-top:22px}
h2{font-size:18px;margin:36px 0 10px}
.sub{color:var(--soft);margin:4px 0 0;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:22px 0 0;padding:0}
.cards div,.box{background:var(--card);border:1px solid var(--line);border-radius:10px}
.cards div{padding:12px 14px;min-width:0}
.cards dt{color:var(--soft);font-size:13px}
.cards dd{margin:0;overflow-wrap:anywhere;font-size:24px;font-weight:650;line-height:1.25;font-variant-numeric:tabular-nums}
.cards dd small{display:block;font-size:12px;font-weight:400;color:var(--soft);line-height:1.45}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0}
dl.facts dt{color:var(--soft)}
dl.facts dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
dl.facts small{color:var(--soft);margin-left:8px}
.box{padding:14px 16px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:5px 10px;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:500;font-size:13px}
tbody tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td.t{white-space:normal;overflow-wrap:anywhere;min-width:170px}
.v{white-space:nowrap}
td .bar{display:inline-block;width:90px;height:9px;margin-left:9px;background:var(--track);border-radius:2px;overflow:hidden;vertical-align:baseline}
td .bar i{display:block;height:100%;background:var(--c0)}
details>summary{cursor:pointer;font-size:18px;font-weight:600;margin:36px 0 10px}
figure{margin:0}
figcaption{color:var(--soft);font-size:13px;margin-top:8px}
.note{border-left:3px solid var(--line);padding:2px 0 2px 12px;color:var(--soft);margin:18px 0 0}
.note.warning{border-color:var(--c1);color:var(--ink)}
footer{color:var(--soft);font-size:13px;margin-top:40px}
svg.chart{display:block;overflow:visible}
svg{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
svg text{fill:var(--ink);font-size:12px}
svg .label{font-size:13px;font-weight:600}
svg .group{font-weight:600}
svg .tiny{font-size:11px}
svg .value,svg .tick{fill:var(--soft)}
svg .axis{font-weight:600}
svg .grid{stroke:var(--line);stroke-width:1}
svg .page{fill:var(--page)}
svg .cell{fill-opacity:.2;stroke:var(--card);stroke-width:2}
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}
.series line{stroke-width:2}.series .leader{stroke-width:1;opacity:.45}.series text{font-weight:600}
.s0 line{stroke:var(--c0)}.s0 circle,.s0 text{fill:var(--c0)}.s1 line{stroke:var(--c1)}.s1 circle,.s1 text{fill:var(--c1)}
.s2 line{stroke:var(--c2)}.s2 circle,.s2 text{fill:var(--c2)}.s3 line{stroke:var(--c3)}.s3 circle,.s3 text{fill:var(--c3)}
.s4 line{stroke:var(--c4)}.s4 circle,.s4 text{fill:var(--c4)}.s5 line{stroke:var(--c5)}.s5 circle,.s5 text{fill:var(--c5)}
.s8 line{stroke:var(--ink);stroke-width:3}.s8 circle,.s8 text{fill:var(--ink)}
.s6 line{stroke:var(--c6)}.s6 circle,.s6 text{fill:var(--c6)}.s7 line{stroke:var(--c7)}.s7 circle,.s7 text{fill:var(--c7)}
.series polyline{fill:none;stroke-width:2;stroke-linejoin:round;vector-effect:non-scaling-stroke}.series .band{opacity:.16;stroke:none}
.series .thin{stroke-width:1.2;opacity:.55}.series .error{stroke-width:1.5;opacity:.7}.series .whisker{stroke:var(--ink);stroke-width:1.5}.series .small{font-weight:400;fill:var(--ink)}
.stacked{stroke:var(--card);stroke-width:1}.c8{fill:var(--ink)}
.s0 polyline{stroke:var(--c0)}.s0 .band{fill:var(--c0)}.s1 polyline{stroke:var(--c1)}.s1 .band{fill:var(--c1)}.s2 polyline{stroke:var(--c2)}.s2 .band{fill:var(--c2)}
.s3 polyline{stroke:var(--c3)}.s3 .band{fill:var(--c3)}.s4 polyline{stroke:var(--c4)}.s4 .band{fill:var(--c4)}.s5 polyline{stroke:var(--c5)}.s5 .band{fill:var(--c5)}
.s6 polyline{stroke:var(--c6)}.s6 .band{fill:var(--c6)}.s7 polyline{stroke:var(--c7)}.s7 .band{fill:var(--c7)}.s8 polyline{stroke:var(--ink)}.s8 .band{fill:var(--ink)}
.pictures{overflow-x:auto}
.pictures h3{font-size:13px;font-weight:500;color:var(--soft);margin:14px 0 6px}.pictures h3:first-child{margin-top:0}
.strip{display:flex;gap:10px;margin:0 0 10px;padding:0;list-style:none}
.strip li{flex:0 1 calc(var(--side) + 6px);min-width:64px}
.strip img,.strip .none{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:#fff;border:3px solid var(--line);border-radius:8px}
.strip .none{background:var(--track)}
.strip .hit img{border-color:var(--c2)}.strip .miss img{border-color:var(--c6)}.strip .query img{border-color:var(--ink)}.strip .query{margin-right:14px}
.strip span{display:block;font-size:12px;line-height:1.35;color:var(--soft);margin-top:4px;overflow-wrap:anywhere}
.strip b{font-weight:650}.strip .hit b{color:var(--c2)}.strip .miss b{color:var(--c6)}
@media(max-width:640px){main{padding:18px 14px 32px}h1{font-size:21px}svg .wide{display:none}td .bar{width:48px}th,td{padding:5px 7px}}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb}body{font-size:12px}main{max-width:none;padding:0}
.cards div,.box,figure,tr{break-inside:avoid}h2,summary{break-after:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}.scroll{overflow:visible}}
)css";
}

}  // namespace hone
