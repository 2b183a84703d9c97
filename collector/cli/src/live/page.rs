//! One incident as a web page that needs nothing else and does nothing: no script, no network, light or dark as the reader likes it.

use super::{
    show::{self, Facts},
    timeline::Timeline,
};
use crate::html::{self, escape};
use firebell_shared::alert::Alert;

/// How it looks. The policy of the page allows exactly this.
const STYLE: &str = ":root{color-scheme:light dark;--ink:#1d2126;--dim:#5b6570;--line:#d9dee4;--page:#fff;--mark:#b3261e}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#9aa5b1;--line:#3a424b;--page:#16191d;--mark:#ff8a80}}\
body{margin:2rem auto;max-width:46rem;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page)}\
h1{font-size:1.4rem;line-height:1.3;margin:0 0 1.5rem;padding-left:.8rem;border-left:.3rem solid var(--mark)}\
h2{font-size:1rem;margin:1.5rem 0 .3rem}p{margin:.3rem 0}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-top:1px solid var(--line)}\
th{font-weight:normal;color:var(--dim);white-space:nowrap;width:8rem}td{overflow-wrap:anywhere}\
code{font-family:ui-monospace,monospace}footer{margin-top:2rem;color:var(--dim);font-size:.9rem}";
/// SHA-256 of [`STYLE`], in base64. Source: Content Security Policy Level 3, section 2.3.1, `hash-source`.
const STYLE_HASH: &str = "KswgAE+TFmwegoaUCtKjl0Ac5FHOIwLcDuOB3ckRdF4=";

/// The whole page, in UTF-8.
pub(super) fn page(alert: &Alert, timeline: &Timeline) -> String {
    let Facts { fields, rules, paragraphs } = show::facts(alert);
    let title = format!("{}: {}", alert.id, alert.summary);
    let head = html::head(&format!("Incident {title}"), STYLE, STYLE_HASH, None);
    let title = escape(&title);
    let rules = rules.into_iter().map(|rule| ("rule", rule));
    let rows: String =
        fields.into_iter().chain(rules).map(|(name, value)| format!("<tr><th scope=\"row\">{name}<td>{}\n", escape(&value))).collect();
    let paragraphs: String =
        paragraphs.into_iter().map(|(name, value)| format!("<h2>{}</h2>\n<p>{}</p>\n", capital(name), escape(&value))).collect();
    let timeline = told(timeline);
    format!(
        "{head}\
         <h1>{title}</h1>\n<table>\n{rows}</table>\n{paragraphs}{timeline}\
         <footer>As it was when this page was made. <code>firebell show {id}</code> tells how it is now, <code>firebell explain {id}</code> what \
         each detector counted.</footer>\n</html>\n",
        id = alert.id,
    )
}

/// How it went, and the lines of the log; empty where nothing is known.
fn told(timeline: &Timeline) -> String {
    if timeline.moments.is_empty() {
        return String::new();
    }
    let bars = timeline.bars().map(|bars| format!("<p><code>{}</code></p>\n", escape(&bars))).unwrap_or_default();
    let row = |[when, what, severity, packets, contacts]: [String; 5]| {
        format!(
            "<tr><th scope=\"row\">{}<td>{}, severity {severity}<td>{packets} packets<td>{contacts} contacts\n",
            escape(&when),
            escape(&what)
        )
    };
    let rows: String = timeline.rows().into_iter().map(row).collect();
    let lines = timeline.moments.iter().filter(|moment| !moment.line.is_empty());
    let lines: String = lines.map(|moment| format!("<p><code>{}</code></p>\n", escape(&moment.line))).collect();
    let heading = if lines.is_empty() { "" } else { "<h2>Log lines that made firebell tell it</h2>\n" };
    format!("<h2>Timeline</h2>\n{bars}<table>\n{rows}</table>\n{heading}{lines}")
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebell_shared::{alert::Details, severity::Severity};

    const HOSTILE: &str = "</style></title><script>alert(1)</script><img src=x onerror=y>\"'&amp;\u{202e}\x1b[31m\n";

    #[test]
    fn whatever_an_outsider_wrote_is_text() {
        let hostile = || HOSTILE.to_owned();
        let details = Details {
            ports: hostile(),
            targets: vec![hostile(); 16],
            sources: vec![hostile(); 16],
            protocol: hostile(),
            tool: hostile(),
            signatures: vec![hostile(); 16],
            known: hostile(),
            attack: vec![hostile(); 16],
            interface: hostile(),
            prefix: hostile(),
            mac: hostile(),
            why: "x<b>".repeat(20_000),
            advice: hostile(),
            ..Details::default()
        };
        let alert =
            Alert { id: 7, time_usec: 0, severity: Severity::AIMED, kind: hostile(), source: hostile(), summary: hostile(), details };
        let page = page(&alert, &Timeline::hostile(HOSTILE));
        let ours = ["!DOCTYPE", "html", "meta", "title", "style", "h1", "h2", "p", "table", "tr", "th", "td", "footer", "code"];
        for tag in page.split('<').skip(1) {
            let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap_or_default();
            assert!(ours.contains(&name), "{name} in {tag}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("\\u{202e}\\x1b[31m\\x0a"), "{page}");
        assert!(!page.contains(['\u{202e}', '\x1b']) && page.matches("<title>").count() == 1);
        // Lists have at most 16 entries, each is cut where it is shown.
        assert!(page.len() < 40 * super::super::MAX_LINE * 6, "{}", page.len());
    }

    #[test]
    fn the_policy_allows_the_style_and_nothing_else() {
        assert_eq!(STYLE_HASH, html::hash(STYLE));
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
    }
}
