//! Any stream from `journalctl`: wherever it is cut the records are the same, and little of it is kept.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The files themselves rather than their crate, which would bring the bus along.
#[allow(dead_code)]
#[path = "../../../collector/src/intake/export.rs"]
mod export;
#[allow(dead_code)]
#[path = "../../../collector/src/intake/lines.rs"]
mod lines;

fn read(chunks: &[&[u8]]) -> (Vec<String>, bool) {
    let (mut export, mut records) = (export::Export::default(), Vec::new());
    let end = chunks.iter().try_for_each(|chunk| {
        export.feed(chunk, |entry| {
            assert!(entry.message.len() <= lines::MAX_LINE && entry.cursor.len() <= 512);
            records.push(format!("{entry:?}"));
        })
    });
    (records, end.is_ok())
}

fuzz_target!(|input: &[u8]| {
    let Some((first, stream)) = input.split_first() else { return };
    let whole = read(&[stream]);
    let (front, back) = stream.split_at(usize::from(*first).min(stream.len()));
    let cut = read(&[front, back]);
    // A piece that is no part of such a stream may be noticed before its end or with it.
    assert!(whole.0 == cut.0 && (whole.1 == cut.1 || back.is_empty()));
});
