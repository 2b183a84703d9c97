//! What all pages have in common: text that stays text.

use firebell_shared::text;

/// The longest text, in bytes.
const MAX_TEXT: usize = 4_096;

/// Text that no browser reads as anything else, and in which nothing is hidden. What is hidden in it is written out.
pub(crate) fn escape(value: &str) -> String {
    text::escape_markup(&text::safe(value.as_bytes(), MAX_TEXT))
}

/// The head of a page that may load nothing, and show and run only what stands in it: the hashes are those of its style and of its script, in base64.
/// Source: Content Security Policy Level 3, section 2.3.1, `hash-source`.
pub(crate) fn head(title: &str, style: &str, style_hash: &str, script_hash: Option<&str>) -> String {
    let script = script_hash.map(|hash| format!(" script-src 'sha256-{hash}';")).unwrap_or_default();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style_hash}';{script} base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title>\n<style>{style}</style>\n",
        escape(title),
    )
}

/// The hash that a policy names, by the program that everybody has.
#[cfg(test)]
pub(crate) fn hash(text: &str) -> String {
    use std::{io::Write as _, process::Command};
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let said = Command::new("sha256sum").arg(file.path()).output().unwrap().stdout;
    let digest: Vec<u8> = said[..64].chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut base64: String = digest
        .chunks(3)
        .flat_map(|three| {
            let bits = three.iter().chain([&0, &0]).take(3).fold(0, |bits, &byte| bits << 8 | usize::from(byte));
            [18, 12, 6, 0].map(|shift| char::from(digits[bits >> shift & 63]))
        })
        .collect();
    // 32 bytes are ten threes and two more.
    base64.replace_range(43.., "=");
    base64
}
