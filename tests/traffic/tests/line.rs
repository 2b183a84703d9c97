//! What is written as a log line is read as the packet that it was.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use firebell_engine::{packet::TcpFlags, parse::parse, record::Record};
use firebell_traffic::{DAY, Random, desktop, diary::History, exposed, line, tcp, v4};

#[test]
fn a_day_of_each_kind_is_read_as_it_was_made() {
    let mut lines = 0;
    for history in [History { days: 1, ..desktop::WEEK }, History { days: 1, ..exposed::MONTH }] {
        history.tell(1, |event| {
            let packet = event.packet();
            let text = line::kmsg(lines, event.at() % DAY, &packet);
            let record = Record::read(text.as_bytes());
            assert_eq!(parse(record.text).unwrap(), packet, "{text}");
            lines += 1;
        });
    }
    assert!(lines > 100_000);
}

#[test]
fn every_flag_is_printed_where_the_kernel_prints_it() {
    let mut random = Random(1);
    for flags in 0..=u8::MAX {
        let packet = tcp(random.internet(), 1, v4(192, 0, 2, 1), 2, flags);
        assert_eq!(parse(line::line(&packet).as_bytes()).unwrap(), packet);
    }
    let all = line::line(&tcp(v4(192, 0, 2, 2), 1, v4(192, 0, 2, 1), 2, TcpFlags::SYN | TcpFlags::FIN | TcpFlags::ACK));
    assert!(all.contains("RES=0x00 ACK SYN FIN URGP=0"), "{all}");
}
