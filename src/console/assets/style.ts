/** The one style sheet: light and dark by the system's wish, and usable on a telephone. */
export const style = `:root{color-scheme:light dark;--back:#fbfbfc;--card:#fff;--text:#16191d;--dim:#555e6a;--line:#d5dae1;--link:#0b57b0;--good:#0a6b3d;--good-back:#e5f5ec;--warn:#7a4a00;--warn-back:#fff3dc;--bad:#a3161f;--bad-back:#fdeaea}
@media(prefers-color-scheme:dark){:root{--back:#111418;--card:#191d23;--text:#e8eaed;--dim:#a3adba;--line:#333a44;--link:#8ab8ff;--good:#6fdca2;--good-back:#10291d;--warn:#ffc766;--warn-back:#2f2410;--bad:#ff9c9c;--bad-back:#361719}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center;padding:.6rem 1rem;border-bottom:1px solid var(--line);background:var(--card)}
nav{display:flex;flex-wrap:wrap;gap:.25rem}nav a{padding:.25rem .6rem;border-radius:6px;text-decoration:none;color:var(--text)}
nav a[aria-current]{background:var(--link);color:var(--back)}
.who{margin-left:auto;color:var(--dim)}.who form{display:flex;gap:.5rem;align-items:center}
main{max-width:82rem;margin:0 auto;padding:1rem;outline:none}footer{padding:1rem;color:var(--dim);text-align:center}
h1{font-size:1.5rem;margin:.25rem 0 1rem}h2{font-size:1.1rem;margin:1.75rem 0 .5rem}
a{color:var(--link)}small,.hint{color:var(--dim)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.hidden{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}.first{font-size:1.15rem}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.25rem .5rem}
.verdict{border:1px solid;border-left-width:8px;border-radius:8px;padding:.75rem 1rem;margin-bottom:1rem}
.verdict .label{margin:0;font-weight:600}.verdict .first{margin:.1rem 0;font-size:1.3rem}.verdict ul{margin:.25rem 0;padding-left:1.2rem}
.good{color:var(--good)}.verdict.good{background:var(--good-back)}.attention{color:var(--warn)}.verdict.attention{background:var(--warn-back)}
.bad,.problem{color:var(--bad)}.verdict.bad,.problem{background:var(--bad-back)}.problem{padding:.6rem .8rem;border-radius:6px}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--card)}
table{border-collapse:collapse;width:100%}th,td{padding:.4rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);overflow-wrap:break-word}
td small,th small{display:inline-block;min-width:9rem;max-width:44rem;font-weight:400;overflow-wrap:anywhere}button,.button{white-space:nowrap}
tbody tr:last-child>*{border-bottom:0}thead th{font-size:.85rem;color:var(--dim);white-space:nowrap}tbody th{font-weight:600}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr[aria-selected=true]{background:var(--warn-back)}
code,pre,kbd{font:.9em/1.45 ui-monospace,monospace}pre,.command{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
kbd{border:1px solid var(--line);border-radius:4px;padding:0 .3em}
form.filters{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end;margin:.75rem 0}.stack{display:flex;flex-direction:column;gap:.75rem;max-width:28rem}
label{display:flex;flex-direction:column;gap:.15rem;font-size:.85rem;color:var(--dim)}label.check{flex-direction:row;align-items:center;gap:.4rem}
input,select,button,.button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--dim);border-radius:6px;padding:.35rem .6rem;min-height:2.25rem}
button,.button{cursor:pointer;text-decoration:none;display:inline-block}.primary{background:var(--link);border-color:var(--link);color:var(--back);font-weight:600}
.danger{border-color:var(--bad);color:var(--bad)}.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;margin:.75rem 0}
progress{width:12rem;accent-color:var(--link)}
.timeline{list-style:none;padding:0;border-left:3px solid var(--line);margin-left:.5rem}.timeline>li{padding:.25rem 0 .75rem 1rem}
dialog{max-width:32rem;border:1px solid var(--line);border-radius:8px;background:var(--card);color:var(--text)}
@media(max-width:40rem){main{padding:.75rem}.who{margin-left:0}th,td{padding:.35rem .5rem}}
`
