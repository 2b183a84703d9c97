//! Any log file, cut anywhere, and any position that comes back from the disk.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The files themselves rather than their crate, which would bring the bus along.
#[allow(dead_code)]
#[path = "../../../collector/src/intake/lines.rs"]
mod lines;
#[allow(dead_code)]
#[path = "../../../collector/src/intake/position.rs"]
mod position;

use lines::{Lines, MAX_LINE};
use position::{Head, MAX_POSITION, Position};

/// The lines, where in the stream each ends, and how many were too long.
fn read(chunks: &[&[u8]]) -> (Vec<(Vec<u8>, usize)>, u64) {
    let (mut lines, mut found, mut too_long, mut before) = (Lines::default(), Vec::new(), 0, 0);
    for chunk in chunks {
        too_long += lines.feed(chunk, |line, behind| {
            assert!(line.len() <= MAX_LINE && !line.contains(&b'\n'));
            found.push((line.to_vec(), before + behind));
        });
        before += chunk.len();
    }
    too_long += lines.finish(|line| found.push((line.to_vec(), before)));
    (found, too_long)
}

fuzz_target!(|input: &[u8]| {
    let Some((first, stream)) = input.split_first() else { return };
    let (front, back) = stream.split_at(usize::from(*first).min(stream.len()));
    let whole = read(&[stream]);
    assert_eq!(whole, read(&[front, back]), "where it is cut makes no difference");
    assert!(whole.0.is_sorted_by_key(|(_, behind)| *behind));
    // A start in the middle of a line leaves out its rest and nothing else.
    let mut later = Lines::in_the_middle(true);
    let mut left = 0;
    later.feed(stream, |_, _| left += 1);
    assert!(left <= whole.0.len());

    let (mut at_once, mut in_two) = (Head::NOTHING, Head::NOTHING);
    at_once.extend(stream);
    in_two.extend(front);
    in_two.extend(back);
    assert_eq!(at_once, in_two);

    if let Some(position) = Position::read(stream) {
        let mut written = Vec::new();
        position.write(&mut written);
        assert!(!written.is_empty() && written.len() <= MAX_POSITION);
        assert_eq!(Position::read(&written), Some(position), "what was believed is written and read as the same");
    }
});
