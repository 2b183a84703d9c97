//! Any line: envelope off, parse, judge.
#![no_main]

use firebell_engine::{
    origin::{MAX_PREFIX, Origin, judge},
    packet::Header,
    parse::parse,
    record::Record,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let record = Record::read(line);
    assert!(line.strip_suffix(b"\r").unwrap_or(line).ends_with(record.text), "the text is the end of the line");
    // A caller may hand over the bare text as well.
    for text in [record.text, line] {
        match parse(text) {
            Ok(packet) => {
                assert!(text.starts_with(packet.prefix));
                assert_eq!(packet.header.src.is_ipv4(), packet.header.dst.is_ipv4());
                check(&packet.header);
                packet.nested.iter().for_each(check);
                assert_eq!(judge(false, &packet, text), Origin::Unverified);
                if judge(true, &packet, text) == Origin::Kernel {
                    assert!(packet.is_whole && packet.prefix.len() <= MAX_PREFIX);
                    // Whatever stands behind a whole record, nobody vouches for it.
                    let longer = [text, b" [1]: segfault"].concat();
                    assert!(!parse(&longer).is_ok_and(|packet| judge(true, &packet, &longer) == Origin::Kernel));
                }
            }
            Err(error) => assert!(error.offset <= text.len()),
        }
    }
});

fn check(header: &Header<'_>) {
    let flags = header.flags.unwrap_or_default();
    assert_eq!(flags.names().count(), flags.bits().count_ones() as usize + usize::from(flags.ae()));
    for options in [header.ip_opt, header.tcp_opt] {
        assert_eq!(options.groups().count(), options.0.iter().filter(|byte| **byte == b'(').count());
    }
}
