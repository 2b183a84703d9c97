//! Buttons of popups: what a click does, and what it cannot be made to do.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, severity::Severity};
use firebell_tests::{
    fake_collector::{later, scan},
    fake_server::{FakeServer, Shown},
    private_bus::until,
    program::Program,
    rig::with_rigs,
    session::{NOTHING, SOON, Session},
};
use std::{fs, os::unix::fs::PermissionsExt, thread};

/// An agent whose server has buttons, and that was started with a token of somebody else's click.
fn listening(session: &Session, server: &FakeServer) -> Result<Program> {
    server.draw_actions();
    session.listening_with(&[], &[("XDG_ACTIVATION_TOKEN", "of-somebody-else")])
}

fn keys(popup: &Shown) -> Vec<&str> {
    popup.actions.iter().map(|(key, _)| key.as_str()).collect()
}

const NOTE: &str = "echo \"$# $1|$XDG_ACTIVATION_TOKEN|$DESKTOP_STARTUP_ID\" >>opened.new; cat opened.new >opened";

#[test]
fn details_opens_a_page_of_the_incident_in_the_browser() -> Result<()> {
    with_rigs("buttons: details", || {
        let (session, collector, server) = Session::attended()?;
        session.program("xdg-open", NOTE)?;
        let agent = listening(&session, &server)?;
        let mut alert = scan(66, 1);
        alert.details.advice = "<script>alert(1)</script>".to_owned();
        collector.tell(&alert)?;
        let popup = server.call(1)?;
        ensure!(keys(&popup) == ["details", "mute", "default"], "{popup:?}");
        ensure!(popup.actions[0].1 == "Details" && popup.actions[2].1.is_empty(), "{popup:?}");
        server.click(popup.id, "details", Some("token-7"))?;
        let file = session.path("run/firebell").join(format!("incident-{}.html", alert.id));
        let opened = until(SOON, || Some(session.read("opened")).filter(|said| !said.is_empty())).context("nothing was opened")?;
        ensure!(opened == format!("1 {}|token-7|token-7\n", file.display()), "{opened}");
        let page = fs::read_to_string(&file)?;
        ensure!(
            page.contains("<h1>") && page.contains("198.51.100.66") && page.contains("&lt;script&gt;") && !page.contains("<script"),
            "{page}"
        );
        ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);
        // A click beside the buttons does the same, without a token; what is clicked elsewhere does nothing.
        server.click(popup.id, "default", None)?;
        until(SOON, || (session.read("opened").lines().count() == 2).then_some(())).context("not opened again")?;
        ensure!(session.read("opened").ends_with("||\n"), "{}", session.read("opened"));
        for (id, key) in [(popup.id, "undo"), (popup.id, "Details; reboot"), (popup.id + 1, "details"), (0, "default")] {
            server.click(id, key, Some("x"))?;
        }
        server.say_nonsense()?;
        thread::sleep(NOTHING);
        ensure!(session.read("opened").lines().count() == 2 && server.calls().len() == 1, "{:?}", server.calls());
        let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).ok();
        until(SOON, || children()?.is_empty().then_some(())).with_context(|| format!("left: {:?}", children()))
    })
}

#[test]
fn a_browser_that_stays_is_neither_waited_for_nor_ended() -> Result<()> {
    with_rigs("buttons: a browser that stays", || {
        let (session, collector, server) = Session::attended()?;
        session.program("xdg-open", "echo $$ >browser; exec sleep 60")?;
        let agent = listening(&session, &server)?;
        collector.tell(&scan(1, 1))?;
        server.click(server.call(1)?.id, "details", None)?;
        let browser: u32 = until(SOON, || session.read("browser").trim().parse().ok()).context("nothing was opened")?;
        collector.tell(&scan(2, 2))?;
        server.call(2)?;
        ensure!(agent.stop()?.0.success());
        let cmdline = fs::read_to_string(format!("/proc/{browser}/cmdline"));
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(browser)?).context("no pid")?,
            rustix::process::Signal::KILL,
        )?;
        ensure!(cmdline.is_ok_and(|line| line.starts_with("sleep")), "the browser ended with the agent");
        Ok(())
    })
}

#[test]
fn where_nothing_opens_a_page_the_popup_says_what_to_type() -> Result<()> {
    with_rigs("buttons: no browser", || {
        let (session, collector, server) = Session::attended()?;
        session.program("xdg-open", "exit 3")?;
        session.program("gio", "exit 2")?;
        let agent = listening(&session, &server)?;
        let alert = scan(1, 1);
        collector.tell(&alert)?;
        server.click(server.call(1)?.id, "details", None)?;
        let said = server.call(2)?;
        ensure!(said.body.contains(&format!("firebell show {} tells the same", alert.id)) && said.actions.is_empty(), "{said:?}");
        agent.wait_for(SOON, |line| line.text.contains("cannot show incident"))?;
        // The collector has forgotten it, or does not know us.
        collector.tell(&scan(2, 2))?;
        let popup = server.call(3)?;
        collector.refuse(true);
        server.click(popup.id, "details", None)?;
        server.call(4)?;
        Ok(())
    })
}

#[test]
fn mute_and_trust_say_how_to_undo_them_and_undo_does() -> Result<()> {
    with_rigs("buttons: mute and trust", || {
        let (session, collector, server) = Session::attended()?;
        let _agent = listening(&session, &server)?;
        let mut near = scan(7, 1);
        near.source = "192.168.1.7".to_owned();
        collector.tell(&near)?;
        let popup = server.call(1)?;
        ensure!(keys(&popup) == ["details", "mute", "trust", "default"], "{popup:?}");
        server.click(popup.id, "mute", None)?;
        let said = server.call(2)?;
        ensure!(said.body.contains("192.168.1.7 is muted") && said.body.contains("firebell notify unmute 192.168.1.7"), "{said:?}");
        ensure!(keys(&said) == ["undo"] && said.timeout == -1, "{said:?}");
        // It goes on, no worse than before: nothing is heard of it. Then it is undone, and it is heard of again.
        let mut again = later(&near, 2, Phase::Updated, Severity::AIMED);
        again.details.contacts *= 20;
        collector.tell(&again)?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 2, "{:?}", server.calls());
        server.click(said.id, "undo", None)?;
        let undone = server.call(3)?;
        ensure!(undone.body.contains("no longer muted") && undone.actions.is_empty(), "{undone:?}");
        let mut next = scan(8, 3);
        next.source = "192.168.1.7".to_owned();
        collector.tell(&next)?;
        let popup = server.call(4)?;
        server.click(popup.id, "trust", None)?;
        let said = server.call(5)?;
        ensure!(said.body.contains("firebell notify untrust 192.168.1.7") && keys(&said) == ["undo"], "{said:?}");
        ensure!(session.read(".local/state/firebell/notifier-mutes").contains("trusted 192.168.1.7 "));
        server.click(said.id, "undo", None)?;
        ensure!(server.call(6)?.body.contains("no longer trusted"));
        ensure!(!session.read(".local/state/firebell/notifier-mutes").contains("192.168.1.7"));
        Ok(())
    })
}

#[test]
fn a_server_that_restarts_has_no_old_buttons() -> Result<()> {
    with_rigs("buttons: server restarts", || {
        let (session, collector, server) = Session::attended()?;
        session.program("xdg-open", NOTE)?;
        let _agent = listening(&session, &server)?;
        collector.tell(&scan(1, 1))?;
        let popup = server.call(1)?;
        server.leave()?;
        let server = FakeServer::start(&session.bus, true, 0)?;
        thread::sleep(NOTHING);
        // Another program's popup has that id now.
        server.click(popup.id, "details", None)?;
        collector.tell(&scan(2, 2))?;
        let popup = server.call(1)?;
        ensure!(popup.actions.is_empty(), "this one has no buttons: {popup:?}");
        thread::sleep(NOTHING);
        ensure!(session.read("opened").is_empty(), "{}", session.read("opened"));
        Ok(())
    })
}

#[test]
fn xfce_gets_no_button_for_a_click_beside_the_buttons() -> Result<()> {
    with_rigs("buttons: Xfce", || {
        let (session, collector, server) = Session::attended()?;
        server.set_name("Xfce Notify Daemon");
        let _agent = listening(&session, &server)?;
        collector.tell(&scan(1, 1))?;
        ensure!(keys(&server.call(1)?) == ["details", "mute"]);
        Ok(())
    })
}
