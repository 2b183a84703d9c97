use super::*;
use crate::convert;
use firebell_shared::alert::Phase;
use std::{fs, io::Read as _, process, sync::mpsc};

const DAY: u64 = 86_400_000_000;
const BOUNDS: Bounds = Bounds { max_alerts: 100_000, max_age: Duration::from_secs(3650 * 86_400) };

fn alert(id: u64, seq: u64) -> Arc<Alert> {
    let mut alert = convert::alert(&convert::tests::finding());
    (alert.id, alert.details.seq, alert.time_usec) = (id, seq, 1_763_800_000_000_000 + seq);
    Arc::new(alert)
}

fn fresh(name: &str) -> Numbers {
    Numbers::new(name.into())
}

fn open(folder: &Path) -> Database {
    let (database, aside) = Database::open(folder, &fresh("a"), false).unwrap();
    assert!(aside.is_empty(), "{aside:?}");
    database
}

fn seqs(alerts: &[Arc<Alert>]) -> Vec<u64> {
    alerts.iter().map(|alert| alert.details.seq).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A store in `folder`, and what it tells.
fn store(folder: &Path) -> (Store, mpsc::Receiver<u64>, Numbers) {
    let (told, hear) = mpsc::channel();
    let found = Found::open(folder, BOUNDS, "b".into());
    let numbers = found.numbers.clone();
    let desk = Desk::new(move |alert| told.send(alert.details.seq).unwrap());
    (Store::start(&desk, found, || ()).unwrap(), hear, numbers)
}

fn hear(told: &mpsc::Receiver<u64>) -> u64 {
    told.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn alerts_and_numbers_are_there_again_after_an_orderly_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    let alerts = [alert(1, 1), alert(2, 2), alert(1, 3)];
    database.commit(alerts.iter(), &Lines::new(), None).unwrap();
    database.close().unwrap();
    assert_eq!(names(dir.path()), [FILE], "no log is left beside it");

    let database = open(dir.path());
    assert_eq!(*database.numbers(), Numbers { history_id: "a".into(), last_id: 2, last_seq: 3 });
    assert_eq!(database.newest(10).unwrap(), [alert(2, 2), alert(1, 3)]);
    assert_eq!(seqs(&database.newest(1).unwrap()), [3]);
    assert_eq!((database.get(1).unwrap(), database.get(9).unwrap(), database.rows()), (Some(alert(1, 3)), None, 2));
}

#[test]
fn after_another_end_numbers_leap_so_that_none_is_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    database.commit([alert(5, 50)].iter(), &Lines::new(), None).unwrap();
    drop(database);
    let database = open(dir.path());
    assert_eq!(*database.numbers(), Numbers { history_id: "a".into(), last_id: 1005, last_seq: 1_000_050 });
    assert_eq!(seqs(&database.newest(10).unwrap()), [50]);
}

#[test]
fn an_older_revision_does_not_take_the_place_of_a_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    database.commit([alert(1, 7)].iter(), &Lines::new(), None).unwrap();
    database.commit([alert(1, 3)].iter(), &Lines::new(), None).unwrap();
    assert_eq!((seqs(&database.newest(9).unwrap()), database.rows(), database.numbers().last_seq), (vec![7], 1, 7));
}

#[test]
fn old_alerts_are_read_page_by_page_and_a_filter_leaves_out_what_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    let alerts: Vec<_> = (1..=2500)
        .map(|seq| {
            let mut alert = alert(seq, seq);
            Arc::make_mut(&mut alert).kind = if seq % 2 == 0 { "flood" } else { "syn-scan" }.into();
            alert
        })
        .collect();
    database.commit(alerts.iter(), &Lines::new(), None).unwrap();
    let all = |filter: &Filter, limit: usize| {
        let (mut after, mut found, mut pages) = (0, Vec::new(), 0);
        while after < 2400 {
            let page = database.list(after, 2400, limit, filter).unwrap();
            assert!(page.more && page.last_seq > after && page.alerts.len() <= limit.min(1000));
            (after, pages) = (page.last_seq, pages + 1);
            found.extend(seqs(&page.alerts));
        }
        (found, pages)
    };
    assert_eq!(all(&Filter::default(), 700).0, (1..=2400).collect::<Vec<_>>());
    let flood = Filter { kind: Some("flood".into()), ..Filter::default() };
    assert_eq!(all(&flood, 5000).0, (1..=1200).map(|n| 2 * n).collect::<Vec<_>>());
    let elsewhere = Filter { source: crate::history::network_of("203.0.113.9"), ..Filter::default() };
    let (found, pages) = all(&elsewhere, 10);
    assert!(found.is_empty() && pages >= 3, "no more than 1000 alerts are looked at for one answer: {pages}");
}

#[test]
fn what_is_too_old_or_too_much_is_forgotten_and_its_room_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    let alerts: Vec<_> = (1..=3000).map(|seq| alert(seq, seq)).collect();
    database.commit(alerts.iter(), &Lines::new(), None).unwrap();
    let pages = |database: &Database| -> i64 { database.connection().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap() };
    let before = pages(&database);
    while database.prune(1_763_800_000_000_000 + 1001, 1000).unwrap() {}
    assert_eq!((database.rows(), seqs(&database.newest(1).unwrap()), database.get(2000).unwrap()), (1000, vec![3000], None));
    assert_eq!(database.get(2001).unwrap(), Some(alert(2001, 2001)));
    assert!(pages(&database) < before / 2, "{before} -> {}", pages(&database));
    while database.prune(1_763_800_000_000_000 + DAY, 1000).unwrap() {}
    assert_eq!(database.rows(), 0);
    drop(database);
    assert!(open(dir.path()).numbers().last_id >= 3000, "what is forgotten gives no number again");
}

#[test]
fn a_damaged_file_is_moved_aside_and_a_new_history_begins() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    let mut database = open(dir.path());
    let alerts: Vec<_> = (1..=200).map(|seq| alert(seq, seq)).collect();
    database.commit(alerts.iter(), &Lines::new(), None).unwrap();
    database.close().unwrap();
    let whole = fs::read(&file).unwrap();

    let mut broken = whole.clone();
    for byte in &mut broken[8192..whole.len() / 2] {
        *byte ^= 0x55;
    }
    let foreign = dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE x (y); PRAGMA user_version = 1").unwrap();
    for (number, bytes) in
        [b"this is no database, but it is longer than the header of one: ".repeat(9), broken, fs::read(&foreign).unwrap()]
            .into_iter()
            .enumerate()
    {
        fs::write(&file, &bytes).unwrap();
        let (database, aside) = Database::open(dir.path(), &fresh(&number.to_string()), false).unwrap();
        assert_eq!(aside.len(), 1, "{number}");
        assert_eq!(fs::metadata(&aside[0].path).unwrap().len(), bytes.len() as u64, "{}", aside[0].why);
        assert_eq!((database.numbers(), database.rows()), (&fresh(&number.to_string()), 0));
        database.close().unwrap();
    }
}

#[test]
fn a_row_that_is_not_ours_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    database.commit([alert(1, 1)].iter(), &Lines::new(), None).unwrap();
    database.connection().execute("UPDATE alerts SET severity = 77", []).unwrap();
    assert!(database.newest(9).unwrap_err().is_damage());
    database.close().unwrap();
    let found = Found::open(dir.path(), BOUNDS, "b".into());
    assert_eq!((found.numbers, found.newest.len()), (fresh("b"), 0));
    assert!(names(dir.path()).contains(&"history.db.damaged.1".to_owned()));
}

#[test]
fn a_history_of_a_newer_version_is_moved_aside_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    database.commit([alert(1, 1)].iter(), &Lines::new(), None).unwrap();
    database.close().unwrap();
    let newer = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    newer.execute_batch("CREATE TABLE of_tomorrow (x); PRAGMA user_version = 99").unwrap();
    drop(newer);
    let bytes = fs::read(dir.path().join(FILE)).unwrap();
    let (database, aside) = Database::open(dir.path(), &fresh("b"), false).unwrap();
    assert_eq!((database.numbers(), database.rows()), (&fresh("b"), 0));
    assert_eq!(aside[0].path, dir.path().join("history.db.newer.1"));
    assert!(fs::read(&aside[0].path).unwrap() == bytes, "it is another file");
}

#[test]
fn two_collectors_do_not_write_to_one_history() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    let error = Database::open(dir.path(), &fresh("b"), false).unwrap_err();
    assert!(error.to_string().contains("another firebelld") && !error.is_damage(), "{error}");
}

#[test]
fn an_alert_is_on_the_disk_when_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (told, hear_of) = mpsc::channel();
    let found = Found::open(dir.path(), BOUNDS, "b".into());
    // What another process could read at the moment of telling: the log beside the file is part of the database.
    let copy = dir.path().join("copy");
    let from = dir.path().to_owned();
    let desk = Desk::new(move |_| {
        let _ = fs::create_dir(&copy);
        for name in [FILE, "history.db-wal"] {
            fs::copy(from.join(name), copy.join(name)).unwrap();
        }
        told.send(open(&copy).newest(9).unwrap().len()).unwrap();
        fs::remove_dir_all(&copy).unwrap();
    });
    let store = Store::start(&desk, found, || ()).unwrap();
    for seq in 1..=3 {
        store.tell([alert(seq, seq)], None);
        assert_eq!(hear_of.recv_timeout(Duration::from_secs(20)), Ok(usize::try_from(seq).unwrap()));
    }
    assert!(!store.is_failing());
}

#[test]
fn without_a_folder_alerts_are_told_at_once_and_written_when_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let (store, told, numbers) = store(&folder);
    assert!(store.is_failing());
    for seq in 1..=3 {
        store.tell([alert(seq, seq)], None);
        assert_eq!(hear(&told), seq);
    }
    fs::create_dir(&folder).unwrap();
    wait_until(|| !store.is_failing());
    store.tell([alert(4, 4)], None);
    assert_eq!(hear(&told), 4);
    drop(store);
    let database = open(&folder);
    assert_eq!((seqs(&database.newest(9).unwrap()), &database.numbers().history_id), (vec![1, 2, 3, 4], &numbers.history_id));
    assert_eq!(database.numbers().last_id, 4);
}

#[test]
fn when_the_folder_is_taken_away_alerts_go_to_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    fs::create_dir(&folder).unwrap();
    let (store, told, numbers) = store(&folder);
    store.tell([alert(1, 1)], None);
    assert_eq!(hear(&told), 1);
    fs::rename(&folder, dir.path().join("elsewhere")).unwrap();
    store.tell([alert(2, 2)], None);
    assert_eq!(hear(&told), 2);
    assert!(store.is_failing());
    fs::create_dir(&folder).unwrap();
    wait_until(|| !store.is_failing());
    drop(store);
    let database = open(&folder);
    assert_eq!((seqs(&database.newest(9).unwrap()), &database.numbers().history_id), (vec![2], &numbers.history_id));
}

#[test]
fn a_history_that_cannot_be_opened_at_the_start_is_kept_beside_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    database.commit([alert(1, 1)].iter(), &Lines::new(), None).unwrap();
    let (store, told, numbers) = store(dir.path());
    assert_eq!(numbers, fresh("b"), "it is in use");
    store.tell([alert(1, 1)], None);
    assert_eq!(hear(&told), 1);
    database.close().unwrap();
    wait_until(|| !store.is_failing());
    drop(store);
    assert_eq!(names(dir.path()), [FILE, "history.db.earlier.1"]);
    assert_eq!(open(dir.path()).numbers().history_id, "b");
}

#[test]
fn what_the_disk_does_not_take_in_time_is_told_in_order_and_kept_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let (told, hear_of) = mpsc::channel();
    let desk = Desk::new(move |alert| told.send(alert.details.seq).unwrap());
    // Without the thread: a disk that hangs.
    let hanging = Store { desk: Arc::clone(&desk), thread: None };
    hanging.tell([alert(1, 1)], None);
    assert!(hanging.relieve().is_some_and(|left| left <= PATIENCE));
    assert_eq!(hear_of.try_iter().count(), 0);
    desk.lock().since = Instant::now().checked_sub(PATIENCE);
    assert_eq!(hanging.relieve(), None);
    assert!(hanging.is_failing());

    desk.lock().is_failing = false;
    for seq in 2..=3000 {
        hanging.tell([alert(seq, seq)], None);
    }
    hanging.tell([alert(3000, 3001)], None);
    assert_eq!(hear_of.try_iter().collect::<Vec<_>>(), (1..=3001).collect::<Vec<_>>());
    {
        let inbox = desk.lock();
        assert_eq!((inbox.late.len(), inbox.counts.dropped), (MAX_LATE, 2000));
        assert_eq!(seqs(&inbox.late.values().rev().take(2).cloned().collect::<Vec<_>>()), [3001, 2999]);
    }
    drop(hanging);

    desk.lock().has_ended = false;
    let mut found = Found::open(dir.path(), BOUNDS, "b".into());
    let database = found.database.take();
    let store = Store::start(&desk, found, || ()).unwrap();
    // The folder is there, so the next try writes everything.
    drop(database);
    wait_until(|| !store.is_failing());
    drop(store);
    assert_eq!(open(dir.path()).get(3000).unwrap(), Some(alert(3000, 3001)));
}

#[test]
fn a_full_disk_does_not_stop_the_telling() {
    let dir = tempfile::tempdir().unwrap();
    let found = Found::open(dir.path(), BOUNDS, "b".into());
    let database = found.database.as_ref().unwrap();
    let limit =
        |database: &Database, pages: i64| database.connection().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    limit(database, 12);
    let (told, hear_of) = mpsc::channel();
    let desk = Desk::new(move |alert| told.send(alert.details.seq).unwrap());
    let store = Store::start(&desk, found, || ()).unwrap();
    for seq in 1..=100 {
        store.tell([alert(seq, seq)], None);
        assert_eq!(hear(&hear_of), seq);
    }
    assert!(store.is_failing());
    drop(store);
    let database = open(dir.path());
    let written = database.rows();
    assert!(written < 100, "the disk was not full");
}

/// Commits in a loop until it is killed; says each number after its commit.
fn commit_until_killed(folder: &Path) {
    let (store, told, numbers) = store(folder);
    for n in 1_u64.. {
        store.tell([alert(numbers.last_id + n, numbers.last_seq + n)], None);
        println!("told {} {}", numbers.last_id + n, hear(&told));
    }
}

#[test]
fn killed_at_any_moment_everything_that_was_told_is_there_and_no_number_comes_twice() {
    // The program that is killed is this test once more.
    if let Some(folder) = std::env::var_os("FIREBELL_TEST_STORE") {
        commit_until_killed(Path::new(&folder));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut told: Vec<u64> = Vec::new();
    for round in 0..20 {
        let mut child = process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::killed_at_any_moment_everything_that_was_told_is_there_and_no_number_comes_twice",
                "--nocapture",
            ])
            .env("FIREBELL_TEST_STORE", dir.path())
            .stdout(process::Stdio::piped())
            .stderr(process::Stdio::null())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut said = vec![0; 400 + 97 * round];
        out.read_exact(&mut said).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        out.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said);
        // The last line may be cut.
        let whole = &said[..=said.rfind('\n').unwrap()];
        told.extend(whole.lines().filter_map(|line| line.split_once("told ")?.1.split(' ').next()?.parse::<u64>().ok()));
    }
    assert!(told.len() > 100 && told.is_sorted_by(|a, b| a < b), "{told:?}");
    let database = open(dir.path());
    for id in &told {
        assert!(database.get(*id).unwrap().is_some(), "{id} was told and is not there");
    }
}

fn wait_until(wanted: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !wanted() {
        assert!(Instant::now() < end, "it does not come true");
        thread::sleep(Duration::from_millis(20));
    }
}

fn checkpoint(positions: &[(&str, &[u8])]) -> Checkpoint {
    let positions = positions.iter().map(|(intake, position)| ((*intake).to_owned(), position.to_vec())).collect();
    Checkpoint { positions, counters: vec![1, 2], engine: vec![3; 100], last_seq: 12, is_slow: false }
}

#[test]
fn a_history_of_the_first_version_is_kept_and_takes_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    // As the first version has made it.
    let old = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    old.execute_batch(include_str!("version-1.sql")).unwrap();
    drop(old);
    let mut database = open(dir.path());
    assert_eq!((database.numbers().last_id, seqs(&database.newest(9).unwrap())), (7, vec![12]));
    let open = database.newest(9).unwrap();
    assert_eq!(database.start().unwrap(), Saved { told: open.clone(), ..Saved::default() });
    let both = checkpoint(&[("/dev/kmsg", b"x"), ("journal", b"y")]);
    database.commit([alert(8, 13)].iter(), &Lines::new(), Some(&both)).unwrap();
    database.close().unwrap();
    let found = Found::open(dir.path(), BOUNDS, "b".into());
    // The other one is open still.
    let told = [vec![alert(8, 13)], open].concat();
    assert_eq!(found.saved, Saved { checkpoint: both, starts: 1, told, imported_to: 0 });
    assert_eq!((found.numbers.last_seq, found.newest.len()), (13, 2));
}

#[test]
fn starts_from_one_checkpoint_are_counted_and_the_next_one_forgets_them() {
    let dir = tempfile::tempdir().unwrap();
    let first = checkpoint(&[("a", b"1"), ("b", b"2")]);
    open(dir.path()).commit([].iter(), &Lines::new(), Some(&first)).unwrap();
    for starts in 1..=3 {
        // Opening it again while it runs is no start.
        drop(open(dir.path()));
        let saved = Found::open(dir.path(), BOUNDS, "b".into()).saved;
        assert_eq!((saved.starts, &saved.checkpoint), (starts, &first));
    }
    let mut database = open(dir.path());
    database.commit([alert(1, 13)].iter(), &Lines::new(), None).unwrap();
    drop(database);
    let saved = Found::open(dir.path(), BOUNDS, "b".into()).saved;
    assert_eq!((saved.starts, saved.told.len()), (4, 1), "alerts alone are no checkpoint");
    open(dir.path()).commit([].iter(), &Lines::new(), Some(&Checkpoint { last_seq: 13, ..checkpoint(&[("b", b"3")]) })).unwrap();
    let saved = Found::open(dir.path(), BOUNDS, "b".into()).saved;
    assert_eq!((saved.starts, saved.told.len(), saved.checkpoint.positions.len()), (1, 1, 1));
}

#[test]
fn a_checkpoint_that_is_longer_than_ours_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let huge = Checkpoint { engine: vec![7; firebell_engine::engine::MAX_SNAPSHOT + 1], ..checkpoint(&[("b", &[7; 5000])]) };
    let mut database = open(dir.path());
    database.commit([].iter(), &Lines::new(), Some(&huge)).unwrap();
    let saved = database.start().unwrap().checkpoint;
    assert_eq!((saved.engine.len(), saved.positions["b"].len()), (0, crate::intake::MAX_POSITION + 1));
}

#[test]
fn a_checkpoint_that_cannot_be_written_waits_with_the_alerts_that_came_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let (store, told, _) = store(&folder);
    let last = checkpoint(&[("a", b"2")]);
    store.tell([alert(1, 1)], Some(checkpoint(&[("a", b"1")])));
    store.tell([alert(2, 2)], Some(last.clone()));
    assert_eq!((hear(&told), hear(&told)), (1, 2));
    assert!(!store.may_check());
    fs::create_dir(&folder).unwrap();
    wait_until(|| store.may_check());
    drop(store);
    let mut database = open(&folder);
    assert_eq!((seqs(&database.newest(9).unwrap()), database.start().unwrap().checkpoint), (vec![1, 2], last));
}

#[test]
fn what_people_said_is_kept_beside_the_revisions_that_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    database.commit([alert(1, 1), alert(2, 2)].iter(), &Lines::new(), None).unwrap();
    assert_eq!(database.remark(9, &Remark::Unacknowledged).unwrap(), None);
    for remark in [Remark::Acknowledged(77), Remark::Note("the printer".into())] {
        assert_eq!(database.remark(1, &remark).unwrap().unwrap().id, 1);
    }
    let said = database.commit([alert(1, 3), alert(2, 4)].iter(), &Lines::new(), None).unwrap();
    assert_eq!(said, HashMap::from([(1, vec![Remark::Acknowledged(77), Remark::Note("the printer".into())])]));
    let details = |database: &Database| {
        let details = database.get(1).unwrap().unwrap().details.clone();
        (details.seq, details.acknowledged, details.note)
    };
    assert_eq!(details(&database), (3, Some(77), "the printer".into()));
    let mut worse = Arc::unwrap_or_clone(alert(1, 5));
    worse.severity = firebell_shared::severity::Severity::CRITICAL;
    database.commit([Arc::new(worse)].iter(), &Lines::new(), None).unwrap();
    database.close().unwrap();
    let mut database = open(dir.path());
    assert_eq!(details(&database), (5, None, "the printer".into()), "what has become worse is to be looked at again");
    database.remark(1, &Remark::Note(String::new())).unwrap();
    assert_eq!(details(&database), (5, None, String::new()));
}

#[test]
fn who_is_muted_is_known_at_the_next_start_and_a_damaged_list_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _told, _) = store(dir.path());
    let list = Mutes::from_text("firebell-mutes 1\nmuted 192.0.2.7 3 4000000000\ntrusted 2001:db8::/64 4 -\n").unwrap();
    assert_eq!(store.keep_mutes(list.clone()).unwrap().blocking_recv(), Ok(Ok(())));
    drop(store);
    let found = Found::open(dir.path(), BOUNDS, "b".into());
    assert_eq!(found.mutes, list);
    drop(found);
    open(dir.path()).connection().execute("UPDATE mutes SET list = 'rubbish'", []).unwrap();
    assert_eq!(Found::open(dir.path(), BOUNDS, "b".into()).mutes, Mutes::default());
}

#[test]
fn what_cannot_be_written_is_said_to_whom_it_concerns() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _told, _) = store(&dir.path().join("missing"));
    assert_eq!(store.keep_mutes(Mutes::default()).unwrap().blocking_recv(), Ok(Err(NotWritten)));
}

/// An incident that is over, of that source.
fn over(id: u64, seq: u64, source: &str) -> Alert {
    let mut alert = Alert { source: source.into(), ..(*alert(id, seq)).clone() };
    (alert.details.phase, alert.details.first_seen) = (Phase::Closed, id * DAY);
    alert
}

#[test]
fn what_is_over_is_forgotten_with_its_moments_and_what_goes_on_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    let lines: Lines = (1..=5).map(|seq| (seq, b"IN=eth0 \xff".as_slice().into())).collect();
    let alerts: Vec<_> = (1..=5).map(|n| if n == 2 { alert(2, 2) } else { Arc::new(over(n, n, "192.0.2.1")) }).collect();
    database.commit(alerts.iter(), &lines, None).unwrap();
    assert_eq!(database.moments(1).unwrap()[0].line, b"IN=eth0 \xff");
    assert_eq!(database.forget(0, 3).unwrap(), [1]);
    assert_eq!(database.forget(1_763_800_000_000_004, u64::MAX).unwrap(), [3]);
    assert_eq!((database.forget(0, 3).unwrap(), database.forget(0, 0).unwrap()), (vec![], vec![4, 5]));
    assert_eq!((seqs(&database.newest(9).unwrap()), database.rows()), (vec![2], 1));
    assert!(database.moments(1).unwrap().is_empty() && !database.moments(2).unwrap().is_empty());
    database.close().unwrap();
    let mut database = open(dir.path());
    assert_eq!((database.numbers().last_id, database.numbers().last_seq), (5, 5), "numbers go on");
    assert_eq!(database.start().unwrap().imported_to, 0);
}

#[test]
fn an_incident_has_its_first_and_its_last_moments_and_lines_have_a_bound_in_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    let (long, ids, bound) = (vec![b'x'; 2 * MAX_LINE], 400, 64 * 1024);
    database.bound_lines(bound);
    let mut seq = 0;
    for id in 1..=ids {
        let (mut alerts, mut lines) = (Vec::new(), Lines::new());
        for _ in 0..if id == 1 { 100 } else { 1 } {
            seq += 1;
            alerts.push(alert(id, seq));
            lines.insert(seq, long.as_slice().into());
        }
        database.commit(alerts.iter(), &lines, None).unwrap();
        if id == 1 {
            let kept: Vec<u64> = database.moments(1).unwrap().iter().map(|moment| moment.time_usec - 1_763_800_000_000_000).collect();
            assert_eq!(kept, (1..=8).chain(77..=100).collect::<Vec<_>>());
            assert!(database.moments(1).unwrap().iter().all(|moment| moment.line.len() == MAX_LINE));
        }
    }
    let stored = moments::bytes(database.connection()).unwrap();
    assert!(stored <= bound && stored > bound / 4, "{stored}");
    let has_line = |id| database.moments(id).unwrap().iter().any(|moment| !moment.line.is_empty());
    assert!(!has_line(1) && has_line(ids) && database.moments(1).unwrap().len() == 32);
}

#[test]
fn an_import_doubles_nothing_and_takes_no_number_that_stands_for_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(dir.path());
    let alerts = [alert(1, 1), Arc::new(over(2, 2, "192.0.2.2")), Arc::new(over(3, 3, "192.0.2.3"))];
    database.commit(alerts.iter(), &Lines::new(), None).unwrap();
    let own: Vec<Alert> = alerts.iter().map(|alert| (**alert).clone()).collect();
    database.forget(0, 2).unwrap();
    database.forget(1_763_800_000_000_003, u64::MAX).unwrap();
    assert_eq!(seqs(&database.newest(9).unwrap()), [1, 3]);
    let mut import = |history: &str, alerts: &[Alert]| {
        let numbers = database.numbers().clone();
        let import = Import { history_id: history.into(), after_id: numbers.last_id, after_seq: numbers.last_seq };
        let done = database.import(&import, alerts).unwrap();
        (done.taken, done.known)
    };
    // From this history: what was forgotten comes back under its own number.
    assert_eq!((import("a", &own), import("a", &own)), ((1, 2), (0, 3)));
    // From another one, whose numbers mean something else.
    let mut others = [over(1, 1, "203.0.113.1"), over(7, 2, "203.0.113.2"), over(7, 2, "203.0.113.2"), over(3, 3, "192.0.2.3")];
    others[1].details.phase = Phase::Updated;
    others[0].details.note = "theirs".into();
    assert_eq!((import("b", &others), import("", &others)), ((2, 2), (0, 4)));
    let all = database.newest(9).unwrap();
    assert_eq!(
        all.iter().map(|alert| (alert.id, alert.source.as_str())).collect::<Vec<_>>()[2..],
        [(2, "192.0.2.2"), (4, "203.0.113.1"), (5, "203.0.113.2")]
    );
    assert!(all[2..].iter().all(|alert| !alert.is_open() && alert.details.imported && alert.details.delivery.as_str() == "log"));
    assert_eq!((all[3].details.note.as_str(), database.rows()), ("theirs", 5));
    database.close().unwrap();
    let mut database = open(dir.path());
    let saved = database.start().unwrap();
    assert!(saved.told.iter().all(|alert| !alert.details.imported));
    assert_eq!((saved.told.len(), saved.imported_to, database.numbers().last_id), (2, 5, 5));
}

#[test]
fn the_bounds_of_the_history_hold_by_number_and_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { max_alerts: 40, max_age: Duration::from_secs(10 * 86_400) };
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let at = |id: u64, days: u64| Arc::new(Alert { time_usec: now - days * DAY, ..(*alert(id, id)).clone() });
    let mut database = open(dir.path());
    let alerts: Vec<_> = (1..=300).map(|id| at(id, (300 - id) / 4)).collect();
    database.commit(alerts.iter(), &Lines::new(), None).unwrap();
    database.close().unwrap();
    let found = Found::open(dir.path(), bounds, "b".into());
    assert_eq!((found.newest.len(), found.newest[0].id, found.numbers.last_id), (40, 261, 300));
    let (told, hear) = mpsc::channel();
    let desk = Desk::new(move |alert: Arc<Alert>| told.send(alert.id).unwrap());
    let store = Store::start(&desk, found, || ()).unwrap();
    // While it runs a tenth more is let in before some are forgotten.
    for id in 301..=400 {
        store.tell([at(id, 0)], None);
        hear.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(store.status().contains(&("history_stored", Value::Number(40))) || desk.lock().counts.rows <= 45);
    }
    // Other bounds hold at once.
    store.bound(Bounds { max_alerts: 7, ..bounds });
    drop(store);
    assert!(Found::open(dir.path(), Bounds { max_alerts: 7, ..bounds }, "b".into()).newest.iter().all(|alert| alert.id > 393));
    let short = Bounds { max_alerts: 100, max_age: Duration::from_secs(1) };
    assert!(Found::open(dir.path(), short, "b".into()).newest.len() <= 7);
}
