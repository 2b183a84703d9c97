//! The report as one web page: charts, and tables that a script of its own sorts and filters. Without the script it says the same.

use super::{Picture, charts, named};
use crate::{
    html::{self, escape},
    report, times,
};
use firebell_shared::{services, text::thousands};
use std::fmt::Write as _;

/// How it looks. The policy of the page allows exactly this.
const STYLE: &str = ":root{color-scheme:light dark;--ink:#1d2126;--dim:#5b6570;--line:#d9dee4;--page:#fff;--bar:#4a6fa5;--heat:74,111,165;\
--s1:#9aa5b1;--s2:#c9a227;--s3:#d9822b;--s4:#c8442c;--s5:#8e1b1b}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#9aa5b1;--line:#3a424b;--page:#16191d;--bar:#7ea6dc;--heat:126,166,220;\
--s1:#6b7681;--s2:#e0bf4f;--s3:#f0a45a;--s4:#f2705a;--s5:#ff4d4d}}\
body{margin:2rem auto;max-width:64rem;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page)}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.3rem 0}.dim,footer{color:var(--dim)}\
dl{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1.2rem 0}dt{color:var(--dim)}dd{margin:0;font-size:1.4rem}\
svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--dim)}.axis{stroke:var(--line)}.bar{fill:var(--bar)}\
.s0{fill:var(--line)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}.s4{fill:var(--s4)}.s5{fill:var(--s5)}circle{fill-opacity:.75}\
.h0{fill:rgba(var(--heat),.06)}.h1{fill:rgba(var(--heat),.15)}.h2{fill:rgba(var(--heat),.25)}.h3{fill:rgba(var(--heat),.35)}.h4{fill:rgba(var(--heat),.45)}\
.h5{fill:rgba(var(--heat),.55)}.h6{fill:rgba(var(--heat),.65)}.h7{fill:rgba(var(--heat),.77)}.h8{fill:rgba(var(--heat),.88)}.h9{fill:rgb(var(--heat))}\
table{border-collapse:collapse;width:100%;font-size:.92rem}caption{text-align:left}\
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-top:1px solid var(--line)}thead th{border-top:0;color:var(--dim);font-weight:normal}\
td{overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap}.t{white-space:nowrap}\
button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-decoration:underline dotted}\
input{font:inherit;padding:.2rem .5rem;margin:.3rem 0;width:16rem;max-width:100%;color:inherit;background:var(--page);border:1px solid var(--line)}\
footer{margin-top:2rem;font-size:.9rem}@media print{body{margin:0;max-width:none;font-size:.8rem}input{display:none}tr,svg{break-inside:avoid}}";
/// SHA-256 of [`STYLE`], in base64.
const STYLE_HASH: &str = "xnFbBX4BzcdCXyF0K+k1OCMfKmUoD0SPbFwkirzTBVM=";
/// Sorts a table by a column, and shows only the rows with a text. It puts nothing into the page but buttons and fields of its own.
const SCRIPT: &str = "\"use strict\";for(const table of document.querySelectorAll(\"table.data\")){const body=table.tBodies[0];\
[...table.tHead.rows[0].cells].forEach((cell,column)=>{const button=document.createElement(\"button\");button.type=\"button\";\
button.append(...cell.childNodes);cell.append(button);button.addEventListener(\"click\",()=>{const up=cell.getAttribute(\"aria-sort\")===\"descending\";\
for(const other of cell.parentNode.cells)other.removeAttribute(\"aria-sort\");cell.setAttribute(\"aria-sort\",up?\"ascending\":\"descending\");\
const value=row=>{const of=row.cells[column];return of.dataset.v===undefined?of.textContent:Number(of.dataset.v)};\
const rows=[...body.rows].sort((a,b)=>{const x=value(a),y=value(b);return(x<y?-1:x>y?1:0)*(up?1:-1)});body.append(...rows)})});\
const field=document.createElement(\"input\");field.type=\"search\";field.placeholder=\"filter\";\
field.setAttribute(\"aria-label\",\"show only rows with this text\");table.before(field);\
field.addEventListener(\"input\",()=>{const wanted=field.value.toLowerCase();for(const row of body.rows)row.hidden=!row.textContent.toLowerCase().includes(wanted)})}";
/// SHA-256 of [`SCRIPT`], in base64.
const SCRIPT_HASH: &str = "nX3K2PlvxHS6hnaw7b/P8hfRh07go2RbCE0A09tqtOs=";

/// Rows of a table on the page; the JSON form has all.
pub(super) const ROWS: usize = 1_000;

/// The whole page, in UTF-8.
pub(super) fn page(picture: &Picture) -> String {
    let mut out = html::head(&picture.title, STYLE, STYLE_HASH, Some(SCRIPT_HASH));
    // Writing to a String does not fail, neither here nor below.
    let _ = writeln!(out, "<h1>{}</h1>\n<p class=\"dim\">{}</p>", escape(&picture.title), escape(&picture.period()));
    let input = &picture.document.input;
    let mut totals = vec![
        (picture.packets_are(), thousands(input.packets)),
        ("sources", picture.sources()),
        ("incidents", thousands(picture.document.alerts.len() as u64)),
        ("popups", thousands(picture.popups())),
    ];
    if let Some(worst) = picture.document.alerts.iter().map(|alert| alert.severity).max() {
        totals.push(("highest severity", worst.to_string()));
    }
    let _ =
        writeln!(out, "<dl>{}</dl>", totals.iter().map(|(name, value)| format!("<div><dt>{name}<dd>{value}</div>")).collect::<String>());
    if picture.tally.series.counts.is_empty() {
        out.push_str("<p>There is no firewall record with a time in it.</p>\n");
    } else {
        let series = picture.tally.series.coarse(charts::BARS);
        let _ = writeln!(
            out,
            "<h2>Packets and incidents over time</h2>\n<p class=\"dim\">A bar is {}. Below: incidents by severity, 5 (act now) to 1 (background).</p>\n{}",
            times::span(std::time::Duration::from_secs(series.width)),
            charts::over_time(&series, &picture.incidents(&series)),
        );
        if picture.tally.week.iter().flatten().any(|count| *count > 0) {
            let _ = writeln!(
                out,
                "<h2>Hours of the week</h2>\n<p class=\"dim\">Packets, {}.</p>\n{}",
                escape(&picture.zone),
                charts::week(&picture.tally.week)
            );
        }
    }
    let points = picture.tally.points();
    if !points.is_empty() {
        let _ = writeln!(
            out,
            "<h2>Who asked for which port</h2>\n<p class=\"dim\">Ports from left to right, sources by address from top to bottom; the colour is the severity{}.</p>\n{}",
            if picture.tally.is_sample() { "; a fair sample" } else { "" },
            charts::sources_by_ports(&points, &picture.severities()),
        );
    }
    alerts(&mut out, picture);
    sources(&mut out, picture);
    countries(&mut out, picture);
    ports(&mut out, picture);
    let files: Vec<_> = input.files.iter().map(|file| format!("<code>{}</code>", escape(file))).collect();
    let _ = writeln!(
        out,
        "<footer><p>Made by <code>firebell report</code> from {}. {}</footer>\n<script>{SCRIPT}</script>\n</html>",
        if files.is_empty() { "a log".to_owned() } else { files.join(", ") },
        if picture.is_history {
            "The packets of each incident are spread evenly over its time and its ports.".to_owned()
        } else {
            let left_out = input.left_out.map(|count| format!("; {} records were not asked for", thousands(count))).unwrap_or_default();
            format!(
                "{} lines were read{left_out}. Nothing vouches for a file: any program may have written a line.",
                thousands(input.lines)
            )
        },
    );
    out
}

/// A table with its heading; `numeric` says which columns stand right.
fn table(out: &mut String, title: &str, head: &[&str], numeric: &[usize], rows: &[Vec<Cell>], left_out: usize) {
    // Times and addresses stay on their lines.
    let class = |column: usize| match head.get(column) {
        _ if numeric.contains(&column) => " class=\"n\"",
        Some(&("began" | "first" | "last" | "source")) => " class=\"t\"",
        _ => "",
    };
    let _ = writeln!(out, "<h2>{title}</h2>\n<table class=\"data\"><thead><tr>");
    for (column, name) in head.iter().enumerate() {
        let _ = write!(out, "<th scope=\"col\"{}>{name}", class(column));
    }
    out.push_str("\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let value = cell.value.map(|value| format!(" data-v=\"{value}\"")).unwrap_or_default();
            let _ = write!(out, "<td{}{value}>{}", class(column), escape(&cell.text));
        }
        out.push('\n');
    }
    out.push_str("</table>\n");
    if left_out > 0 {
        let _ = writeln!(out, "<p class=\"dim\">and {} more; -o json has them all</p>", thousands(left_out as u64));
    }
}

/// What a cell shows, and by what it is sorted.
struct Cell {
    text: String,
    value: Option<u64>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, value: None }
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self { text: thousands(value), value: Some(value) }
    }
}

fn time(time: report::Time) -> Cell {
    Cell { text: times::plain(time.0), value: Some(time.0.as_micros()) }
}

fn alerts(out: &mut String, picture: &Picture) {
    let all = picture.ranked();
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .take(ROWS)
        .map(|alert| vec![u64::from(alert.severity).into(), time(alert.opened), alert.kind.to_owned().into(), alert.summary.clone().into()])
        .collect();
    if rows.is_empty() {
        out.push_str("<h2>Incidents</h2>\n<p>None: nothing was aimed at this machine.</p>\n");
        return;
    }
    table(out, "Incidents", &["severity", "began", "kind", "what"], &[0], &rows, all.len().saturating_sub(ROWS));
}

fn sources(out: &mut String, picture: &Picture) {
    let all = &picture.document.sources;
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .take(ROWS)
        .map(|source| {
            let place = picture.places.as_ref().map(|places| places.get(&source.source).cloned().unwrap_or_default());
            let mut row: Vec<Cell> = vec![
                u64::from(source.severity).into(),
                source.source.clone().into(),
                source.packets.into(),
                u64::from(source.contacts).into(),
                time(source.first),
                time(source.last),
                source.kinds.join(" ").into(),
                report::ports(&source.ports).into(),
            ];
            row.extend(place.into_iter().flat_map(|place| [place.country.into(), place.network.into()]));
            row
        })
        .collect();
    if !rows.is_empty() {
        let head = ["severity", "source", "packets", "contacts", "first", "last", "what", "ports", "country", "network"];
        let shown = if picture.places.is_some() { head.len() } else { head.len() - 2 };
        table(out, "Sources", head.get(..shown).unwrap_or(&head), &[0, 2, 3], &rows, all.len().saturating_sub(ROWS));
    }
}

fn countries(out: &mut String, picture: &Picture) {
    let rows: Vec<Vec<Cell>> = picture
        .countries()
        .into_iter()
        .take(ROWS)
        .map(|(country, sources, packets)| vec![named(country).to_owned().into(), sources.into(), packets.into()])
        .collect();
    if !rows.is_empty() {
        table(out, "Countries", &["country", "sources", "packets"], &[1, 2], &rows, 0);
    }
}

fn ports(out: &mut String, picture: &Picture) {
    let rows: Vec<Vec<Cell>> = picture
        .tally
        .ports(30)
        .into_iter()
        .map(|(protocol, port, packets)| {
            let name = if protocol == 6 { "tcp" } else { "udp" };
            vec![Cell { text: services::told(&port.to_string()), value: Some(port.into()) }, name.to_owned().into(), packets.into()]
        })
        .collect();
    if !rows.is_empty() {
        table(out, "Ports", &["port", "protocol", "packets"], &[2], &rows, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_the_style_the_script_and_nothing_else() {
        assert_eq!((STYLE_HASH, SCRIPT_HASH), (html::hash(STYLE).as_str(), html::hash(SCRIPT).as_str()));
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
        for word in ["innerHTML", "eval", "Function", "fetch", "</", "document.write"] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
