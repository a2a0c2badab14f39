/** The one style sheet: light and dark by the system's wish, dense on a desk and usable on a telephone. */
export const style = `:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--text:#16191d;--dim:#56606d;--line:#dde2e8;--soft:#eef1f5;--link:#0b57b0;--on-link:#fff;--good:#0a6b3d;--good-back:#e8f6ee;--warn:#7a4a00;--warn-back:#fff4de;--bad:#a3161f;--bad-back:#fdecec;--chart:#4a7fc1;--chart-back:#dfe9f6}
@media(prefers-color-scheme:dark){:root{--back:#0f1216;--card:#171b21;--text:#e6e9ed;--dim:#a0abb9;--line:#2b323b;--soft:#1e242c;--link:#8ab8ff;--on-link:#0f1216;--good:#6fdca2;--good-back:#10261b;--warn:#ffc766;--warn-back:#2b2210;--bad:#ff9c9c;--bad-back:#331819;--chart:#6ea3e6;--chart-back:#1b2a3d}}
*{box-sizing:border-box}
html{scroll-padding-top:4rem}
body{margin:0;background:var(--back);color:var(--text);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;align-items:center;padding:.45rem 1.25rem;border-bottom:1px solid var(--line);background:var(--card)}
header strong{letter-spacing:-.01em}
nav{display:flex;flex-wrap:wrap;gap:.15rem}nav a{padding:.25rem .65rem;border-radius:6px;text-decoration:none;color:var(--text)}nav a:hover{background:var(--soft)}
nav a[aria-current]{background:var(--link);color:var(--on-link)}
.who{margin-left:auto;color:var(--dim)}.who form{display:flex;gap:.6rem;align-items:center}
main{max-width:88rem;margin:0 auto;padding:1.1rem 1.25rem 2rem;outline:none}footer{padding:1rem;color:var(--dim);text-align:center;font-size:.9rem}
h1{font-size:1.35rem;line-height:1.25;margin:0 0 .9rem;letter-spacing:-.01em}h2{font-size:1rem;margin:1.75rem 0 .5rem}h3{font-size:.9rem;margin:0 0 .4rem}
p{margin:.5rem 0}a{color:var(--link)}small,.hint{color:var(--dim)}small{font-size:.86em;font-weight:400}
:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:4px}
.hidden{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden;white-space:nowrap}.first{font-size:1.1rem}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.25rem .5rem;z-index:3}
.good{color:var(--good)}.attention{color:var(--warn)}.bad,.problem{color:var(--bad)}
.verdict{border:1px solid;border-left-width:6px;border-radius:8px;padding:.7rem 1rem;margin-bottom:1rem}
.verdict.good{background:var(--good-back)}.verdict.warning{background:var(--warn-back);color:var(--warn)}.verdict.bad,.problem{background:var(--bad-back)}
.verdict .label{margin:0;font-size:.78rem;font-weight:700;letter-spacing:.05em;text-transform:uppercase}.verdict .first{margin:.05rem 0;font-size:1.25rem;line-height:1.35;font-weight:600;overflow-wrap:anywhere}.first::first-letter{text-transform:uppercase}.verdict ul{margin:.25rem 0 0;padding-left:1.1rem;overflow-wrap:anywhere}
.problem{padding:.6rem .8rem;border-radius:8px;overflow-wrap:anywhere}
.tiles{display:flex;flex-wrap:wrap;gap:.6rem;margin:0 0 .6rem}
.tile{flex:1 1 13.5rem;display:flex;flex-direction:column;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem;color:var(--text)}
.tile dt{font-size:.82rem;color:var(--dim)}.tile dd{margin:0}.tile .value{font-size:1.5rem;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums;letter-spacing:-.02em}.tile .value a{color:inherit;text-decoration-color:var(--dim);text-underline-offset:.2em}
.tile .hint{font-size:.82rem}.tile dd:last-child:not(.hint){margin-top:auto;padding-top:.4rem}
.tile.attention .value{color:var(--warn)}.tile.bad{border-color:var(--bad)}.tile.bad .value{color:var(--bad)}
.spark{display:block;width:100%;height:2.25rem}.spark polygon{fill:var(--chart-back)}.spark polyline{fill:none;stroke:var(--chart);stroke-width:1.5;vector-effect:non-scaling-stroke}
.facet-wide{grid-column:span 2}.bar{display:block;width:100%;height:.35rem;margin-top:.15rem}.bar rect{fill:var(--soft)}.bar rect+rect{fill:var(--chart)}
.facets{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.6rem;margin:.75rem 0}
.facet{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem;min-width:0}.facet ol{list-style:none;margin:0;padding:0;display:flex;flex-direction:column;gap:.3rem}
.facet h3{display:flex;justify-content:space-between;gap:.5rem;color:var(--dim);font-weight:600}.facet li a{display:flex;justify-content:space-between;gap:.75rem;text-decoration:none}.facet li a:hover .key{text-decoration:underline}
.key{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.facet .count{color:var(--text);font-variant-numeric:tabular-nums}
.scroll{position:relative;overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--card)}
table{border-collapse:collapse;width:100%}th,td{padding:.34rem .75rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);overflow-wrap:break-word}
tbody tr:last-child>*{border-bottom:0}thead th{font-size:.8rem;font-weight:600;color:var(--dim);white-space:nowrap}tbody th{font-weight:600}tbody tr:hover{background:var(--soft)}
td.wide{min-width:16rem;overflow-wrap:anywhere}td.name{min-width:8.5rem;max-width:14rem;overflow-wrap:anywhere}td small{white-space:nowrap}td.wide small{white-space:normal}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td time{white-space:nowrap}
.at{background:var(--warn-back);box-shadow:inset 3px 0 var(--link)}
code,pre,kbd{font:.92em/1.5 ui-monospace,SFMono-Regular,Menlo,monospace}
pre,.command{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.55rem .8rem;margin:.75rem 0;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.command{color:var(--dim)}.command::before{content:"$ ";user-select:none}
kbd{border:1px solid var(--line);border-radius:4px;padding:0 .3em}
.stack{display:flex;flex-direction:column;gap:.75rem;max-width:30rem}
label{display:flex;flex-direction:column;gap:.15rem;font-size:.82rem;color:var(--dim)}label.check{flex-direction:row;align-items:center;gap:.4rem}
input,select,button,.button{font:inherit;color:var(--text);background:var(--card);border:1px solid var(--dim);border-radius:6px;padding:.25rem .6rem;min-height:2.1rem}
input[type=checkbox]{min-height:0;width:1.1rem;height:1.1rem;margin:.15rem 0}
button,.button{cursor:pointer;text-decoration:none;display:inline-flex;align-items:center;white-space:nowrap}button:hover,.button:hover{background:var(--soft)}
.primary,.primary:hover{background:var(--link);border-color:var(--link);color:var(--on-link);font-weight:600}
.danger{border-color:var(--bad);color:var(--bad)}.row{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.6rem 0}.filters{display:flex;flex-wrap:wrap;gap:.5rem .6rem;align-items:end;margin:.5rem 0}.stack button,.card button{align-self:start}
.chip{display:inline-flex;gap:.4rem;align-items:center;max-width:100%;padding:.12rem .6rem;border-radius:99px;border:1px solid var(--line);background:var(--soft);color:var(--text);text-decoration:none;overflow-wrap:anywhere}a.chip:hover{border-color:var(--dim)}
nav.tabs{display:flex;gap:.25rem;border-bottom:1px solid var(--line);margin:1.25rem 0 .75rem}nav.tabs a{padding:.4rem .8rem;text-decoration:none;color:var(--dim);border-bottom:3px solid transparent;border-radius:0}nav.tabs a[aria-current]{background:none;color:var(--text);border-color:var(--link);font-weight:600}
progress{appearance:none;width:100%;max-width:14rem;height:.45rem;border:0;border-radius:99px;background:var(--line);overflow:hidden}progress::-webkit-progress-bar{background:var(--line)}progress::-webkit-progress-value{background:var(--chart)}progress::-moz-progress-bar{background:var(--chart)}.tile progress{max-width:none}
details{margin:.75rem 0}summary{cursor:pointer;color:var(--link)}
.timeline{list-style:none;padding:0;margin:.75rem 0 0 .4rem;border-left:2px solid var(--line)}.timeline>li{position:relative;padding:0 0 .9rem 1.25rem;overflow-wrap:anywhere}.timeline>li::before{content:"";position:absolute;left:-.41rem;top:.42rem;width:.7rem;height:.7rem;border-radius:50%;background:var(--card);border:2px solid var(--dim)}
.timeline>li.good::before{border-color:var(--good);background:var(--good)}.timeline>li.bad::before{border-color:var(--bad);background:var(--bad)}.timeline>li.now::before{border-color:var(--link);background:var(--link)}.timeline>li.good,.timeline>li.bad{color:inherit}.timeline .when{display:block;font-size:.82rem;color:var(--dim)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0}.facts dt{color:var(--dim)}.facts dd{margin:0;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:.6rem}.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;min-width:0}.card h2,.card h3{margin-top:0}.card .filters{align-items:stretch;flex-direction:column}
.diff{list-style:none;margin:.4rem 0;padding:0;font:.92em/1.6 ui-monospace,monospace;overflow-wrap:anywhere}
dialog{max-width:32rem;border:1px solid var(--line);border-radius:8px;background:var(--card);color:var(--text)}
@media(max-width:40rem){main{padding:.75rem}header{position:static;padding:.45rem .75rem}.who{margin-left:0}th,td{padding:.3rem .5rem}.tile{flex-basis:9rem;padding:.5rem .6rem}.tile .value{font-size:1.25rem}.facts{grid-template-columns:1fr}.facts dd{margin-bottom:.3rem}.facet-wide{grid-column:auto}.filters>label{flex:1 1 9rem;min-width:0}label input,label select{width:100%}}
@media(prefers-reduced-motion:no-preference){a,button{transition:background .12s}}
`
