//! What the kernel's word is worth: any user can make it print a line of their choice.

use firebell_engine::{
    origin::{MAX_PREFIX, Origin, judge},
    parse::parse,
};
use proptest::prelude::*;

const RECORD: &str = "IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=52 ID=1 PROTO=TCP SPT=1 DPT=22 WINDOW=1 RES=0x00 SYN URGP=0 ";

fn origin(vouched: bool, text: &str) -> Option<Origin> {
    parse(text.as_bytes()).ok().map(|packet| judge(vouched, &packet, text.as_bytes()))
}

#[test]
fn a_kernel_line_of_a_vouching_intake_is_the_kernels() {
    for prefix in [
        "",
        "DROP ",
        "[UFW BLOCK] ",
        "DROP(src wan)",
        "[WAN_LOCAL-D-2147483647] ",
        "RULE 4 -- ACCEPT ",
        "TRACE: raw:PREROUTING:policy:2 ",
        "[4] drop ",
    ] {
        assert_eq!(origin(true, &format!("{prefix}{RECORD}")), Some(Origin::Kernel), "{prefix}");
        assert_eq!(origin(false, &format!("{prefix}{RECORD}")), Some(Origin::Unverified), "{prefix}");
    }
}

#[test]
fn a_program_named_like_a_log_line_that_crashes_is_not_the_kernel() {
    let name = RECORD.trim_end();
    for text in [
        // arch/x86/mm/fault.c, show_signal_msg(): the name, then the file that was running.
        format!("{name}[1234]: segfault at 0 ip 000055d0c0ffee00 sp 00007ffd0badcafe error 4 in a[400000+1000]"),
        format!(
            "a[1234]: segfault at 0 ip 000055d0c0ffee00 sp 00007ffd0badcafe error 4 in {name}[400000+1000] likely on CPU 1 (core 1, socket 0)"
        ),
        format!("a[1234]: segfault at 0 ip 0 sp 0 error 4 in {RECORD}"),
        format!("a [7]: x [1234]: segfault at 0 ip 0 sp 0 error 4 in {RECORD}"),
        // arch/x86/kernel/traps.c.
        format!("traps: {name}[1234] general protection fault ip:55d0c0ffee00 sp:7ffd0badcafe error:0 in a[400000+1000]"),
        format!("traps: a[1234] trap int3 ip:55d0c0ffee00 sp:7ffd0badcafe error:0 in {RECORD}"),
        format!("show_signal: 3 callbacks suppressed a[77] {RECORD}"),
        // fs/exec.c, kernel/cgroup/pids.c, mm/oom_kill.c, drivers/usb/core/hub.c, drivers/input/input.c, kernel/audit.c.
        format!("process '/tmp/{name}' started with executable stack"),
        format!("process '/tmp/{RECORD}"),
        format!("cgroup: fork rejected by pids controller in /user.slice/user-1000.slice/{RECORD}"),
        format!("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task_memcg=/{RECORD}"),
        format!("Memory cgroup stats for /user.slice/{RECORD}"),
        format!("usb 1-3: Product: {RECORD}"),
        format!("input: {RECORD}as /devices/virtual/input/input5"),
        format!("audit: type=1400 audit(1.2:3): comm=\"{RECORD}"),
    ] {
        assert_ne!(origin(true, &text), Some(Origin::Kernel), "{text}");
    }
}

#[test]
fn fifteen_bytes_of_a_name_are_no_record() {
    // TASK_COMM_LEN is 16: this is all that fits into a process name.
    assert_eq!(origin(true, "IN=a OUT= SRC=1[1234]: segfault at 0 ip 0 sp 0 error 4"), None);
}

#[test]
fn glued_and_trailing_text_is_not_the_kernel() {
    assert_eq!(origin(true, &format!("{RECORD}x")), Some(Origin::Unverified));
    assert_eq!(origin(true, &format!("DROP {RECORD}DROP {RECORD}")), Some(Origin::Unverified));
    assert_eq!(origin(true, &format!("DROP {RECORD}FOO=1 ")), Some(Origin::Unverified));
}

#[test]
fn no_rule_has_a_longer_prefix_than_127_bytes() {
    assert_eq!(origin(true, &format!("{}{RECORD}", "p".repeat(MAX_PREFIX))), Some(Origin::Kernel));
    assert_eq!(origin(true, &format!("{}{RECORD}", "p".repeat(MAX_PREFIX + 1))), Some(Origin::Unverified));
}

proptest! {
    #[test]
    fn whatever_stands_around_a_process_id_is_not_the_kernel(before in "[ -~]{0,40}", pid in 0_u32..4_000_000, between in "[ -~]{0,20}") {
        let text = format!("{before}[{pid}]: {between}{RECORD}");
        prop_assert_ne!(origin(true, &text), Some(Origin::Kernel));
    }

    #[test]
    fn without_a_vouching_intake_nothing_is_the_kernels(text in "[ -~]{0,40}") {
        prop_assert_ne!(origin(false, &format!("{text}{RECORD}")), Some(Origin::Kernel));
    }
}
