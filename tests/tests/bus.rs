//! The collector on the bus: its contract, who is served, who is not, and how much.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Alert, client::CollectorProxy, names};
use firebell_tests::{
    bus::{Bus, call, collector_user, folder_for_all, is_root, need_root, scan_lines, start_collector, wait_until, with_polkit},
    program::{Program, as_user, built, repository, run},
    rig::with_rigs,
};
use futures_util::StreamExt as _;
use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};
use zbus::{Connection, MatchRule, MessageStream, message::Type, wire::Variant};

/// Nobody's friend: in no group that may read logs.
const STRANGER: &str = "games";
const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn the_introspection_file_is_what_the_collector_offers() -> Result<()> {
    let path = repository().join("dbus-policy/org.firebell.Collector1.xml");
    let described = firebell_collector::bus::introspection();
    if std::env::var_os("FIREBELL_BLESS").is_some() {
        fs::write(&path, &described)?;
    }
    let kept = fs::read_to_string(&path)?;
    ensure!(kept == described, "the interface has changed; read the difference, then FIREBELL_BLESS=1 cargo test:\n{described}");
    with_rigs("the live introspection", || {
        let bus = Bus::up(true)?;
        let _collector = bus.collector("", &["--replay", "/dev/null"], Stdio::null())?;
        let live = block_on(async {
            let connection = connect(&bus).await?;
            let reply = connection
                .call_method(
                    Some(names::COLLECTOR_NAME),
                    names::COLLECTOR_PATH,
                    Some("org.freedesktop.DBus.Introspectable"),
                    "Introspect",
                    &(),
                )
                .await?;
            Ok(reply.body().deserialize::<String>()?)
        })?;
        let interface = |text: &str| -> Result<Vec<String>> {
            let start = text.find("<interface name=\"org.firebell.Collector1\"").context("no interface")?;
            let text = &text[start..];
            let end = text.find("</interface>").context("no end")?;
            Ok(text[..end].lines().map(|line| line.trim().to_owned()).collect())
        };
        ensure!(interface(&live)? == interface(&kept)?, "the live one is another:\n{live}");
        Ok(())
    })
}

#[test]
fn the_proxy_of_clients_fits_the_interface() -> Result<()> {
    with_rigs("the proxy", || {
        let bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, "")?;
        block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let mut alerts = proxy.receive_alert().await?;
            ensure!(proxy.subscribe().await? == 0);
            ensure!(proxy.version().await? == env!("CARGO_PKG_VERSION"));
            ensure!(proxy.history_id().await?.len() == 32);
            ensure!(proxy.health().await? == ("ok".to_owned(), String::new()));
            feed.write(&scan_lines("DROP", "198.51.100.66", 20))?;
            let alert = next_alert(&mut alerts).await?;
            ensure!((alert.kind.as_str(), alert.source.as_str(), alert.details.seq) == ("syn-scan", "198.51.100.66", 1), "{alert:?}");
            ensure!(Alert::from_wire(proxy.get_alert(alert.id).await?)?.id == alert.id);
            let missing = proxy.get_alert(77).await;
            ensure!(is_error(&missing, "NotFound"), "{missing:?}");
            let status = proxy.status().await?;
            ensure!(status.get("packets").and_then(|value| u64::try_from(&**value).ok()) == Some(20), "{status:?}");
            proxy.received(1).await?;

            let test = proxy.send_test().await?;
            let alert = next_alert(&mut alerts).await?;
            ensure!((alert.id, alert.kind.as_str(), alert.details.seq) == (test, "test", 0), "{alert:?}");
            let stored = proxy.get_alert(test).await;
            ensure!(is_error(&stored, "NotFound"), "a test is not stored: {stored:?}");

            proxy.unsubscribe().await?;
            let received = proxy.received(1).await;
            ensure!(is_error(&received, "NotFound"), "{received:?}");
            let list = proxy.list_alerts(0, 0, HashMap::new()).await;
            ensure!(is_error(&list, "InvalidArgument"), "{list:?}");
            let list = proxy.list_alerts(0, 10, HashMap::from([("severity", Variant::from(3_u8))])).await;
            ensure!(is_error(&list, "InvalidArgument"), "{list:?}");
            Ok(())
        })
    })
}

#[test]
fn rules_are_reloaded_on_request_and_only_by_those_who_may() -> Result<()> {
    with_rigs("reloading rules", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let folder = tempfile::Builder::new().prefix("firebell-rules").tempdir()?;
        run(Command::new("chmod").arg("755").arg(folder.path()))?;
        let file = folder.path().join("mine.toml");
        let rule = |severity: u8| {
            format!(
                "[[rule]]\nid = \"mine\"\ntitle = \"Mine\"\nseverity = {severity}\nconfidence = \"sure\"\ncategory = \"probe\"\nwhy = \"A test.\"\n\
                 [rule.match]\nproto = \"tcp\"\ndport = 7\n"
            )
        };
        fs::write(&file, rule(4))?;
        let config = format!("[signatures]\nshipped = false\nfolders = [{:?}]\n", folder.path());
        let mut feed = Feed::new(&bus, &config)?;
        let outcome = block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let mut alerts = proxy.receive_alert().await?;
            proxy.subscribe().await?;
            feed.write(&scan_lines("DROP", "198.51.100.66", 8))?;
            let alert = next_alert(&mut alerts).await?;
            ensure!((alert.kind.as_str(), alert.details.signatures) == ("signature", vec!["mine: Mine x1".to_owned()]));
            let hits = proxy.rule_hits().await?;
            ensure!(matches!(hits.as_slice(), [(id, 1, 1..)] if id == "mine"), "{hits:?}");

            fs::write(&file, rule(9))?;
            let refused = proxy.reload().await;
            ensure!(is_error(&refused, "InvalidArgument") && format!("{refused:?}").contains("mine.toml:4:12"), "{refused:?}");
            ensure!(proxy.rule_hits().await?.len() == 1, "what was in force stays");
            fs::write(&file, rule(3) + &rule(3).replace("mine", "yours"))?;
            let in_force = proxy.reload().await?;
            ensure!(in_force.starts_with("2 rules from 1 files"), "{in_force}");
            ensure!(proxy.rule_hits().await?.iter().map(|(id, packets, _)| (id.as_str(), *packets)).eq([("mine", 1), ("yours", 0)]));
            Ok(())
        });
        outcome?;
        let stats =
            Command::new(built()?.join("firebell")).args(["rules", "stats"]).env("DBUS_SYSTEM_BUS_ADDRESS", bus.address()).output()?;
        let text = String::from_utf8_lossy(&stats.stdout);
        ensure!(stats.status.success() && text.contains("  mine\n") && text.contains("2 rules in force, 1 with packets"), "{stats:?}");
        fs::write(&file, rule(4))?;
        feed.hang_up()?;
        feed.collector.wait_for(SECONDS, |line| line.text.contains("reloaded: 1 rules from 1 files"))?;
        fs::write(&file, "[[rule]]")?;
        feed.hang_up()?;
        feed.collector.wait_for(SECONDS, |line| line.text.contains("nothing is reloaded") && line.text.contains("mine.toml:1:1"))?;
        let stranger = bus.call(STRANGER, "Reload", &[])?;
        let said = String::from_utf8_lossy(&stranger.stderr);
        ensure!(!stranger.status.success() && said.contains("NotAuthorized"), "{said}");
        Ok(())
    })
}

#[test]
fn the_configuration_is_reloaded_as_a_whole_and_says_what_needs_a_restart() -> Result<()> {
    with_rigs("reloading the configuration", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let mut feed =
            Feed::new(&bus, "[signatures]\nshipped = false\n[detect.decoys]\nenabled = false\n[detect.distributed]\nenabled = false\n")?;
        block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let mut alerts = proxy.receive_alert().await?;
            proxy.subscribe().await?;
            feed.write(&scan_lines("DROP", "198.51.100.66", 8))?;
            ensure!(next_alert(&mut alerts).await?.severity.get() == 3);
            ensure!(!bus.call(STRANGER, "Status", &[])?.status.success());

            // One mistake, and nothing of it counts.
            feed.configure(&format!("[bus]\nviewers = [{STRANGER:?}]\n[detect.fast-scan]\nthreshold = true\n"))?;
            let refused = proxy.reload().await;
            ensure!(is_error(&refused, "InvalidArgument") && format!("{refused:?}").contains("firebell.toml:4:13"), "{refused:?}");
            ensure!(!bus.call(STRANGER, "Status", &[])?.status.success());

            // A source that is half seen is not forgotten, and the new parameters are those by which it is judged.
            feed.write(&scan_lines("DROP", "198.51.100.67", 3))?;
            until_counted(&proxy, "packets", 11).await?;
            feed.configure(&format!(
                "[signatures]\nshipped = false\n[detect.decoys]\nenabled = false\n[detect.distributed]\nenabled = false\n[bus]\nviewers = [{STRANGER:?}]\n[detect.fast-scan]\nthreshold = 4.0\n[history]\nmax-alerts = 1\n"
            ))?;
            let said = proxy.reload().await?;
            ensure!(said == "0 rules from 0 files", "{said}");
            feed.write(&scan_lines("DROP", "198.51.100.67", 4))?;
            let alert = next_alert(&mut alerts).await?;
            ensure!((alert.source.as_str(), alert.details.contacts, alert.id) == ("198.51.100.67", 4, 2), "{alert:?}");
            ensure!(bus.call(STRANGER, "Status", &[])?.status.success(), "a viewer now");
            let (list, _, _) = proxy.list_alerts(0, 10, HashMap::new()).await?;
            ensure!(list.len() == 1, "the history has another bound: {list:?}");
            Ok(())
        })?;

        feed.configure("[signatures]\nshipped = false\n[intake]\nsource = \"kmsg\"\n[engine]\nmax-sources = 5000\n[lists]\ntrusted = [\"198.51.100.68\"]\n")?;
        feed.hang_up()?;
        let waits = "0 rules from 0 files; restart needed: [intake] source, [engine] max-sources";
        feed.collector.wait_for(SECONDS, |line| line.text.contains(waits))?;
        ensure!(!bus.call(STRANGER, "Status", &[])?.status.success(), "a viewer no more");
        feed.configure("[intake]\nsorce = \"kmsg\"\n")?;
        feed.hang_up()?;
        feed.collector.wait_for(SECONDS, |line| line.text.contains("nothing is reloaded") && line.text.contains("firebell.toml:2:1"))?;
        feed.write(&scan_lines("DROP", "198.51.100.68", 8))?;
        block_on(async { until_counted(&CollectorProxy::new(&connect(&bus).await?).await?, "packets_trusted", 8).await })
            .context("the list of before is in force")
    })
}

#[test]
fn an_alert_is_explained_to_those_who_may_hear_it() -> Result<()> {
    with_rigs("explaining an alert", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, "")?;
        let explained = block_on(async {
            let proxy = CollectorProxy::new(&connect(&bus).await?).await?;
            let alert = alert_of_a_scan(&proxy, &mut feed).await?;
            ensure!(is_error(&proxy.explain(alert.id + 1000).await, "NotFound"));
            Ok((alert.id, proxy.explain(alert.id).await?))
        })?;
        let (id, document) = (explained.0, serde_json::from_str::<serde_json::Value>(&explained.1)?);
        ensure!(document["kind"] == "syn-scan" && document["is_remembered"] == true, "{document}");
        let detectors = document["detectors"].as_array().context("no detectors")?;
        let fast = detectors.iter().find(|row| row["detector"] == "fast-scan").context("no fast scan")?;
        ensure!(fast["state"] == "spoke" && fast["value"].as_f64() >= fast["threshold"].as_f64(), "{fast}");
        ensure!(document["silenced_by"][0]["toml"] == "[lists]\ntrusted = [\"198.51.100.66\"]\n", "{document}");
        let command = Command::new(built()?.join("firebell"))
            .args(["explain", &id.to_string()])
            .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
            .output()?;
        let text = String::from_utf8_lossy(&command.stdout);
        ensure!(
            command.status.success() && text.starts_with("syn-scan 3, told as ") && text.contains("detect.fast-scan.threshold"),
            "{command:?}"
        );
        let stranger = bus.call(STRANGER, "Explain", &[&format!("uint64:{id}")])?;
        refused(&stranger, "NotAuthorized")
    })
}

#[test]
fn the_command_for_people_tells_how_it_is_what_there_was_and_what_one_is() -> Result<()> {
    with_rigs("firebell status, alerts and show", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, "")?;
        let id = block_on(async {
            let proxy = CollectorProxy::new(&connect(&bus).await?).await?;
            Ok(alert_of_a_scan(&proxy, &mut feed).await?.id)
        })?;
        let firebell = |arguments: &[&str]| -> Result<(i32, String)> {
            let output = Command::new(built()?.join("firebell")).args(arguments).env("DBUS_SYSTEM_BUS_ADDRESS", bus.address()).output()?;
            Ok((output.status.code().context("a signal")?, String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?))
        };
        let holds = |arguments: &[&str], pieces: &[&str]| -> Result<()> {
            let (code, text) = firebell(arguments)?;
            ensure!(code == 0 && pieces.iter().all(|piece| text.contains(piece)), "{arguments:?} gave {code} and\n{text}");
            Ok(())
        };
        let id = id.to_string();
        holds(&["status"], &["ok", "8 firewall records", "Going on now", "SYN scan of 7 TCP ports"])?;
        holds(&["alerts"], &["198.51.100.66: SYN scan"])?;
        holds(&["alerts", "--source", "198.51.100.0/24", "-k", "syn-scan", "-s", "3", "--since", "1h", "--open"], &["198.51.100.66"])?;
        holds(&["alerts", "--source", "203.0.113.9"], &["No alerts"])?;
        holds(&["alerts", "--until", "2020-01-01"], &["No alerts"])?;
        holds(
            &["show", &id],
            &["kind        syn-scan, severity 3", "ports       tcp 1-7", "firewall    dropped", "why\n  fast scan (D2)"],
        )?;
        let json = |arguments: &[&str]| -> Result<serde_json::Value> { Ok(serde_json::from_str(&firebell(arguments)?.1)?) };
        ensure!(json(&["show", &id, "-o", "json"])?["details"]["contacts"] == 7);
        ensure!(json(&["alerts", "-o", "json"])?["alerts"][0]["kind"] == "syn-scan");
        let status = json(&["status", "-o", "json"])?;
        ensure!(status["status"]["packets"] == 8 && status["last_day"]["by_severity"][2] == 1, "{status}");
        ensure!(firebell(&["show", "99999"])?.0 == 1 && firebell(&["alerts", "-k", "nonsense"])?.0 == 2);
        let nobody =
            Command::new(built()?.join("firebell")).arg("status").env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent").output()?;
        ensure!(nobody.status.code() == Some(69), "{nobody:?}");
        Ok(())
    })
}

#[test]
fn forged_signals_reach_nobody_where_our_policy_is_installed() -> Result<()> {
    with_rigs("forged signals", || {
        need_root()?;
        // Without our policy the forgeries arrive at a listener that believes anyone: the forging works.
        ensure!(forge(false)? == Heard { naive: 4, proxy: 0 });
        let heard = forge(true)?;
        ensure!(heard == Heard { naive: 0, proxy: 0 }, "{heard:?}");
        Ok(())
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Heard {
    naive: usize,
    proxy: usize,
}

/// A stranger forges alerts to all, to us and from another path, and health; what is heard of that, and what is believed.
fn forge(with_policy: bool) -> Result<Heard> {
    let bus = Bus::up(with_policy)?;
    let _collector = if with_policy { Some(bus.collector("", &["--replay", "/dev/null"], Stdio::null())?) } else { None };
    block_on(async {
        let connection = connect(&bus).await?;
        let proxy = CollectorProxy::new(&connection).await?;
        let mut believed = proxy.receive_alert().await?;
        let rule = MatchRule::builder().msg_type(Type::Signal).build()?;
        let mut naive = MessageStream::for_match_rule(rule, &connection, Some(64.try_into()?)).await?;
        let us = connection.unique_name().context("no name")?.to_string();
        let to_us = format!("--dest={us}");
        let alert = ["uint64:1", "uint64:1", "byte:5", "string:syn-scan", "string:1.2.3.4", "string:forged", "dict:string:string:"];
        let health = ["string:org.firebell.Collector1", "dict:string:string:", "array:string:"];
        let ours = [names::COLLECTOR_PATH, "org.firebell.Collector1.Alert"];
        for forgery in [
            [&ours[..], &alert].concat(),
            [&[to_us.as_str()], &ours[..], &alert].concat(),
            [&["/elsewhere", ours[1]], &alert[..]].concat(),
            [&[ours[0], "org.freedesktop.DBus.Properties.PropertiesChanged"], &health[..]].concat(),
        ] {
            let mut send = as_user(STRANGER, Path::new("dbus-send"))?;
            // The bus may refuse it, dbus-send does not wait to hear that.
            send.arg(format!("--bus={}", bus.address())).arg("--type=signal").args(forgery).output()?;
        }
        // A real message behind them: with our policy a test alert, without it there is no collector, so one of our own.
        if with_policy {
            proxy.send_test().await?;
        } else {
            connection.emit_signal(Some(us.as_str()), "/", "org.firebell.Barrier", "Done", &()).await?;
        }
        let owner = if with_policy {
            let bus = zbus::fdo::DBusProxy::new(&connection).await?;
            bus.get_name_owner(names::COLLECTOR_NAME.try_into()?).await?.to_string()
        } else {
            us
        };
        let mut heard = Heard { naive: 0, proxy: 0 };
        loop {
            let message = tokio::time::timeout(SECONDS, naive.next()).await?.context("the stream has ended")??;
            let header = message.header();
            let sender = header.sender().map(ToString::to_string).unwrap_or_default();
            if sender == owner {
                if header.member().is_some_and(|member| member == "Alert" || member == "Done") {
                    break;
                }
            } else if sender != "org.freedesktop.DBus" {
                heard.naive += 1;
            }
        }
        while let Ok(alert) = tokio::time::timeout(Duration::from_millis(300), believed.next()).await {
            let alert = alert.context("the stream has ended")?;
            heard.proxy += usize::from(alert.args()?.summary() == "forged");
        }
        Ok(heard)
    })
}

#[test]
fn only_the_collectors_user_and_root_may_have_its_name() -> Result<()> {
    with_rigs("owning the name", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let mut request = as_user(STRANGER, Path::new("dbus-send"))?;
        request.arg(format!("--bus={}", bus.address())).args(["--print-reply", "--dest=org.freedesktop.DBus", "/"]);
        request.args(["org.freedesktop.DBus.RequestName", "string:org.firebell.Collector1", "uint32:4"]);
        let refused = request.output()?;
        ensure!(String::from_utf8_lossy(&refused.stderr).contains("AccessDenied"), "{refused:?}");
        Ok(())
    })
}

#[test]
fn strangers_are_refused_and_root_viewers_and_log_readers_are_served() -> Result<()> {
    with_rigs("who is served", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let _collector = bus.collector("[bus]\nviewers = [\"man\", \"@mail\"]", &["--replay", "/dev/null"], Stdio::null())?;
        let own = collector_user()?;
        for user in ["root", "man", own.as_str()] {
            served(&bus.call(user, "Subscribe", &[])?).with_context(|| user.to_owned())?;
        }
        for member in ["Subscribe", "Status", "SendTest"] {
            refused(&bus.call(STRANGER, member, &[])?, "NotAuthorized")?;
        }
        refused(&bus.call(STRANGER, "GetAlert", &["uint64:1"])?, "NotAuthorized")?;
        let mut list = as_user(STRANGER, Path::new("busctl"))?;
        list.arg(format!("--address={}", bus.address())).args([
            "call",
            names::COLLECTOR_NAME,
            names::COLLECTOR_PATH,
            names::COLLECTOR_INTERFACE,
        ]);
        let list = list.args(["ListAlerts", "tua{sv}", "0", "10", "0"]).output()?;
        ensure!(String::from_utf8_lossy(&list.stderr).contains("may not see firewall alerts"), "{list:?}");
        refused(&bus.call(STRANGER, "Received", &["uint64:1"])?, "NotFound")?;
        // Groups of the calling process count, not what the files say.
        for group in ["adm", "mail"] {
            served(&call(&bus.address(), in_group(group), "Subscribe", &[])?).with_context(|| group.to_owned())?;
        }
        refused(&call(&bus.address(), in_group("news"), "Subscribe", &[])?, "NotAuthorized")?;
        Ok(())
    })
}

/// `dbus-send` as the stranger with one group more.
fn in_group(group: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={STRANGER}"), "--regid=games", &format!("--groups={group}"), "--", "dbus-send"]);
    command
}

/// Methods that nobody needs a right for: they are about a subscription of the caller's own.
const OF_ONES_OWN: [&str; 2] = ["Unsubscribe", "Received"];
/// Methods for those who may see alerts.
const READING: [&str; 11] = [
    "Subscribe",
    "ListAlerts",
    "GetAlert",
    "Explain",
    "Timeline",
    "Status",
    "RuleHits",
    "ListSources",
    "PageSources",
    "Summary",
    "SendTest",
];
/// Methods for those who may change what alerts there are.
const CHANGING: [&str; 10] =
    ["Mute", "Unmute", "Trust", "Untrust", "Note", "Acknowledge", "Unacknowledge", "PruneHistory", "ImportHistory", "Reload"];

/// Each method of the introspection file with its signature and arguments that would do.
fn methods() -> Result<Vec<(String, Vec<String>)>> {
    let file = fs::read_to_string(repository().join("dbus-policy/org.firebell.Collector1.xml"))?;
    let of = |line: &str, key: &str| Some(line.split_once(&format!("{key}=\""))?.1.split_once('"')?.0.to_owned());
    let mut methods = Vec::new();
    for method in file.split("<method ").skip(1) {
        let name = of(method, "name").context("a method without a name")?;
        let (mut signature, mut values) = (String::new(), Vec::new());
        for line in method.split("</method>").next().unwrap_or_default().lines().filter(|line| line.contains("direction=\"in\"")) {
            let kind = of(line, "type").context("an argument without a type")?;
            let value = match kind.as_str() {
                "t" | "u" => "1",
                "s" => "192.0.2.7",
                "b" => "false",
                "a{sv}" | "a(ttysssa{sv})" => "0",
                other => anyhow::bail!("{name} takes {other}: say here what would do"),
            };
            signature.push_str(&kind);
            values.push(value.to_owned());
        }
        values.insert(0, signature);
        methods.push((name, values));
    }
    Ok(methods)
}

/// Which users a method refuses of those that ask. Its answer may be another error: there are no incidents.
fn refuses(address: &str, method: &(String, Vec<String>), users: &[&'static str]) -> Result<Vec<&'static str>> {
    let mut refused = Vec::new();
    for user in users {
        let said = loop {
            let mut ask = as_user(user, Path::new("busctl"))?;
            ask.arg(format!("--address={address}")).args(["call", names::COLLECTOR_NAME, names::COLLECTOR_PATH]);
            let output = ask.args([names::COLLECTOR_INTERFACE, &method.0]).args(&method.1).env("LC_ALL", "C").output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if !said.contains("20 calls in a second") {
                break said;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        // Not that the question was none.
        let is_answer =
            !["Unknown method", "Invalid argument", "signature", "Access denied", "Failed to"].iter().any(|words| said.contains(words));
        ensure!(is_answer, "{user} {method:?}: {said}");
        if said.contains("may not") {
            refused.push(*user);
        }
    }
    Ok(refused)
}

#[test]
fn every_method_is_refused_to_whom_it_is_not_meant_for_with_polkit_and_without() -> Result<()> {
    with_rigs("who may call what", || {
        need_root()?;
        const EVERYBODY: [&str; 5] = ["root", STRANGER, "man", "mail", "news"];
        let polkit = with_polkit(
            r#"polkit.addRule(function(action, subject) {
                if (action.id == "org.firebell.view-alerts" && subject.user == "man") return polkit.Result.YES;
                if (action.id == "org.firebell.manage" && subject.user == "mail") return polkit.Result.YES; });"#,
        )?;
        let config = "[bus]\nviewers = [\"news\"]";
        let _collector = start_collector(polkit.system_bus()?, config, &["--replay", "/dev/null"], Stdio::null())?;
        let alone = Bus::up(true)?;
        let _other = alone.collector(config, &["--replay", "/dev/null"], Stdio::null())?;
        for method in methods()? {
            let name = method.0.as_str();
            let is_in = |list: &[&str]| list.contains(&name);
            // Not at the machine polkit's default asks for an administrator's password, and we never ask.
            let (with, without): (&[&str], &[&str]) = match (is_in(&OF_ONES_OWN), is_in(&READING), is_in(&CHANGING)) {
                (true, false, false) => (&[], &[]),
                (false, true, false) => (&[STRANGER, "mail"], &[STRANGER, "man", "mail"]),
                (false, false, true) => (&[STRANGER, "man", "news"], &[STRANGER, "man", "mail", "news"]),
                _ => anyhow::bail!("{name} is new: who may call it?"),
            };
            for (address, wanted) in [(polkit.system_bus()?, with), (&alone.address(), without)] {
                let refused = refuses(address, &method, &EVERYBODY)?;
                ensure!(refused == wanted, "{name}: refused were {refused:?}, not {wanted:?}");
            }
        }
        Ok(())
    })
}

#[test]
fn a_subscriber_that_says_nothing_gets_64_alerts_and_finds_the_rest_in_the_list() -> Result<()> {
    with_rigs("a slow subscriber", || {
        let bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, MANY)?;
        block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let (mut alerts, mut suppressed) = (proxy.receive_alert().await?, proxy.receive_alerts_suppressed().await?);
            proxy.subscribe().await?;
            // Below the rate limit: 10 a second.
            for source in 1..=80_u8 {
                feed.write(&scan_lines("DROP", &format!("203.0.113.{source}"), 8))?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let mut seqs = Vec::new();
            while let Ok(alert) = tokio::time::timeout(Duration::from_secs(1), alerts.next()).await {
                seqs.push(to_alert(&alert.context("the stream has ended")?)?.details.seq);
            }
            ensure!(seqs == (1..=64).collect::<Vec<_>>(), "{seqs:?}");

            let (missed, last, more) = proxy.list_alerts(64, 1000, HashMap::new()).await?;
            ensure!((missed.len(), last, more) == (16, 80, false), "{} {last} {more}", missed.len());
            proxy.received(64).await?;
            let told = tokio::time::timeout(SECONDS, suppressed.next()).await?.context("the stream has ended")?;
            let told = told.args()?;
            ensure!((told.first_seq, told.last_seq, told.count) == (65, 80, 16), "{told:?}");
            feed.write(&scan_lines("DROP", "203.0.113.200", 8))?;
            ensure!(next_alert(&mut alerts).await?.details.seq == 81);
            Ok(())
        })
    })
}

#[test]
fn more_than_twenty_alerts_in_a_second_are_told_as_a_number_and_listed() -> Result<()> {
    with_rigs("the rate of alerts", || {
        let bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, MANY)?;
        block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let (mut alerts, mut suppressed) = (proxy.receive_alert().await?, proxy.receive_alerts_suppressed().await?);
            proxy.subscribe().await?;
            let lines: String = (1..=200_u8).map(|source| scan_lines("DROP", &format!("203.0.113.{source}"), 8)).collect();
            let start = std::time::Instant::now();
            feed.write(&lines)?;
            let told = tokio::time::timeout(SECONDS, suppressed.next()).await?.context("the stream has ended")?;
            let told = told.args()?;
            let mut received = 0_u32;
            while let Ok(alert) = tokio::time::timeout(Duration::from_millis(500), alerts.next()).await {
                to_alert(&alert.context("the stream has ended")?)?;
                received += 1;
            }
            // A busy machine takes seconds for what is begun here in one.
            let seconds = u32::try_from(start.elapsed().as_secs())?;
            ensure!((20..=25 + 20 * seconds).contains(&received), "{received} alerts in {seconds} s");
            ensure!(received + told.count == 200 && told.last_seq == 200, "{received} alerts, then {told:?}");

            let (mut after, mut seqs) = (0, Vec::new());
            loop {
                let filter = HashMap::from([("min_severity", Variant::from(2_u8))]);
                let (page, last, more) = proxy.list_alerts(after, 70, filter).await?;
                for wire in page {
                    seqs.push(Alert::from_wire(wire)?.details.seq);
                }
                after = last;
                if !more {
                    break;
                }
            }
            ensure!(seqs == (1..=200).collect::<Vec<_>>(), "{seqs:?}");
            let filter = HashMap::from([("source", Variant::from("203.0.113.0/28"))]);
            ensure!(proxy.list_alerts(0, 1000, filter).await?.0.len() == 15);
            Ok(())
        })
    })
}

#[test]
fn twenty_calls_in_a_second_are_answered_and_others_are_not_held_by_them() -> Result<()> {
    with_rigs("the rate of calls", || {
        let bus = Bus::up(true)?;
        let _collector = bus.collector("[bus]\nviewers = [\"man\"]", &["--replay", "/dev/null"], Stdio::null())?;
        block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let mut calls = Vec::new();
            for task in (0..100)
                .map(|_| {
                    tokio::spawn({
                        let proxy = proxy.clone();
                        async move { proxy.status().await }
                    })
                })
                .collect::<Vec<_>>()
            {
                calls.push(task.await?);
            }
            let answered = calls.iter().filter(|call| call.is_ok()).count();
            ensure!((20..=30).contains(&answered), "{answered} of 100 were answered");
            // The bus itself lets 128 calls of one connection wait.
            let other = calls.iter().find(|call| call.is_err() && !is_error(call, "LimitExceeded"));
            ensure!(other.is_none(), "{other:?}");
            Ok(())
        })?;
        if is_root() {
            served(&bus.call("man", "Status", &[])?)?;
        }
        Ok(())
    })
}

#[test]
fn there_are_32_subscriptions_and_each_ends_with_its_owner() -> Result<()> {
    with_rigs("subscriptions", || {
        let bus = Bus::up(true)?;
        let _collector = bus.collector("", &["--replay", "/dev/null"], Stdio::null())?;
        block_on(async {
            let mut connections = Vec::new();
            for number in 0..33 {
                if number % 15 == 14 {
                    // Twenty calls a second are answered.
                    tokio::time::sleep(Duration::from_millis(1100)).await;
                }
                let connection = connect(&bus).await?;
                let subscribed = CollectorProxy::new(&connection).await?.subscribe().await;
                ensure!(if number < 32 { subscribed.is_ok() } else { is_error(&subscribed, "LimitExceeded") }, "{number}: {subscribed:?}");
                connections.push(connection);
            }
            let last = connections.pop().context("none")?;
            for connection in connections {
                connection.close().await?;
            }
            let proxy = CollectorProxy::new(&last).await?;
            for _ in 0..50 {
                tokio::time::sleep(Duration::from_millis(200)).await;
                if subscribers(&proxy).await? == 0 {
                    proxy.subscribe().await?;
                    ensure!(subscribers(&proxy).await? == 1);
                    return Ok(());
                }
            }
            anyhow::bail!("subscriptions outlive their owners")
        })
    })
}

async fn subscribers(proxy: &CollectorProxy<'_>) -> Result<u64> {
    let status = proxy.status().await?;
    Ok(u64::try_from(&**status.get("subscribers").context("no subscribers in Status")?)?)
}

#[test]
fn the_collector_comes_back_when_the_bus_does() -> Result<()> {
    with_rigs("a bus that restarts", || {
        let mut bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, MANY)?;
        feed.write(&scan_lines("DROP", "198.51.100.66", 8))?;
        bus.stop()?;
        // Read while there is no bus.
        feed.write(&scan_lines("DROP", "203.0.113.9", 8))?;
        std::thread::sleep(Duration::from_millis(500));
        bus.start()?;
        feed.collector.wait_for(SECONDS, |line| line.text.contains("on the system bus again"))?;
        block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let mut alerts = proxy.receive_alert().await?;
            ensure!(proxy.subscribe().await? == 2);
            ensure!(proxy.list_alerts(0, 10, HashMap::new()).await?.0.len() == 2);
            feed.write(&scan_lines("DROP", "203.0.113.10", 8))?;
            ensure!(next_alert(&mut alerts).await?.source == "203.0.113.10");
            Ok(())
        })
    })
}

#[test]
fn root_sees_alerts_in_a_monitor_even_when_nobody_is_subscribed() -> Result<()> {
    with_rigs("a monitor", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, "")?;
        let mut monitor = Command::new("busctl");
        monitor.arg(format!("--address={}", bus.address())).args([
            "--json=short",
            "monitor",
            "--match=interface='org.firebell.Collector1'",
        ]);
        let monitor = Program::start("busctl", &mut monitor)?;
        monitor.wait_for(SECONDS, |line| line.is_stderr && line.text.contains("Monitoring"))?;
        feed.write(&scan_lines("DROP", "198.51.100.66", 8))?;
        let line = monitor.wait_for(SECONDS, |line| line.text.contains("\"member\":\"Alert\""))?;
        ensure!(line.text.contains("198.51.100.66") && line.text.contains("\"type\":\"ttysssa{sv}\""), "{}", line.text);
        Ok(())
    })
}

#[test]
fn a_change_of_health_is_announced() -> Result<()> {
    with_rigs("health", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let mut monitor = Command::new("busctl");
        monitor.arg(format!("--address={}", bus.address())).args(["--json=short", "monitor", "--match=member='PropertiesChanged'"]);
        let monitor = Program::start("busctl", &mut monitor)?;
        monitor.wait_for(SECONDS, |line| line.is_stderr && line.text.contains("Monitoring"))?;
        // Nobody vouches for the lines of this one.
        let _collector = bus.collector("", &["--replay", "/dev/null"], Stdio::null())?;
        let line = monitor.wait_for(SECONDS, |line| line.text.contains("\"Health\""))?;
        ensure!(line.text.contains("org.firebell.Collector1") && line.text.contains("\"degraded\""), "{}", line.text);
        block_on(async {
            let connection = connect(&bus).await?;
            let (state, reason) = CollectorProxy::new(&connection).await?.health().await?;
            ensure!(state == "degraded" && reason.contains("let firebelld read /dev/kmsg"), "{state}: {reason}");
            Ok(())
        })
    })
}

#[test]
fn with_broadcast_a_listener_needs_no_subscription() -> Result<()> {
    with_rigs("broadcast", || {
        let bus = Bus::up(true)?;
        let mut feed = Feed::new(&bus, "[bus]\nbroadcast = true")?;
        block_on(async {
            let connection = connect(&bus).await?;
            let proxy = CollectorProxy::new(&connection).await?;
            let mut alerts = proxy.receive_alert().await?;
            feed.write(&scan_lines("DROP", "198.51.100.66", 8))?;
            ensure!(next_alert(&mut alerts).await?.source == "198.51.100.66");
            Ok(())
        })
    })
}

/// Room for many incidents in a short time, each source on its own: these tests are about the bus.
const MANY: &str = "[engine]\nincidents-per-minute = 1000\n[detect.roll-up]\nenabled = false\n[detect.decoys]\nenabled = false\n\
                    [detect.distributed]\nenabled = false\n";

/// A collector that reads what it is given.
struct Feed {
    collector: Program,
    pipe: fs::File,
    folder: tempfile::TempDir,
}

impl Feed {
    const CONFIG: &str = "firebell.toml";

    fn new(bus: &Bus, config: &str) -> Result<Self> {
        let folder = folder_for_all()?;
        let (path, file) = (folder.path().join("lines"), folder.path().join(Self::CONFIG));
        fs::write(&file, config)?;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)?;
        // Open for both: no waiting for the other end.
        let pipe = fs::File::options().read(true).write(true).open(&path)?;
        let collector = bus.collector_reading(&file, &["--replay", "-", "--vouch"], Stdio::from(fs::File::open(&path)?))?;
        Ok(Self { collector, pipe, folder })
    }

    /// Writes another configuration, of which the collector does not know yet.
    fn configure(&self, config: &str) -> Result<()> {
        Ok(fs::write(self.folder.path().join(Self::CONFIG), config)?)
    }

    fn hang_up(&self) -> Result<()> {
        run(Command::new("kill").arg("-HUP").arg(self.collector.pid().to_string())).map(drop)
    }

    fn write(&mut self, lines: &str) -> Result<()> {
        Ok(self.pipe.write_all(lines.as_bytes())?)
    }
}

/// Subscribes, lets a scan come, and hears of it.
async fn alert_of_a_scan(proxy: &CollectorProxy<'_>, feed: &mut Feed) -> Result<Alert> {
    let mut alerts = proxy.receive_alert().await?;
    proxy.subscribe().await?;
    feed.write(&scan_lines("DROP", "198.51.100.66", 8))?;
    next_alert(&mut alerts).await
}

/// Waits until a counter of `Status()` is at `number`.
async fn until_counted(proxy: &CollectorProxy<'_>, counter: &str, number: u64) -> Result<()> {
    let counted = async {
        loop {
            let status = proxy.status().await?;
            let count = status.get(counter).context("no such counter")?;
            if u64::try_from(&**count)? == number {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SECONDS, counted).await.with_context(|| format!("{counter} is never {number}"))?
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

async fn connect(bus: &Bus) -> Result<Connection> {
    Ok(zbus::connection::Builder::address(bus.address().as_str()).method_timeout(SECONDS).build().await?)
}

async fn next_alert(alerts: &mut firebell_shared::client::AlertStream) -> Result<Alert> {
    to_alert(&tokio::time::timeout(SECONDS, alerts.next()).await.context("no alert came")?.context("the stream has ended")?)
}

fn to_alert(signal: &firebell_shared::client::Alert) -> Result<Alert> {
    let args = signal.args()?;
    let details = args.details.iter().map(|(key, value)| Ok((key.clone(), value.try_clone()?))).collect::<Result<_>>()?;
    Ok(Alert::from_wire((args.id, args.time_usec, args.severity, args.kind.clone(), args.source.clone(), args.summary.clone(), details))?)
}

fn is_error<T>(result: &zbus::Result<T>, name: &str) -> bool {
    matches!(result, Err(zbus::Error::MethodError(error, ..)) if error.as_str() == format!("{}.{name}", names::ERROR_PREFIX))
}

fn served(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

fn refused(output: &Output, error: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains(&format!("{}.{error}", names::ERROR_PREFIX)), "{output:?}");
    Ok(())
}

#[test]
fn waiting_has_an_end() {
    assert!(wait_until("never", Duration::from_millis(50), || Ok(false)).is_err());
}
