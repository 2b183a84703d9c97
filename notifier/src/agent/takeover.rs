//! What the agent before us left on the screen, and what we leave for the one after us.

use super::{Agent, Desktop};
use crate::kept::Kept;
use std::time::Duration;
use tracing::info;

impl Agent {
    /// Once, at the start, where it is known which history the incidents are of: takes the popups of an earlier agent over.
    pub(super) async fn take_over(&mut self) {
        let Desktop::Server(server) = &mut self.desktop else { return };
        self.kept = Kept::beside(server.bus());
        let Some(screen) = server.name().and_then(|name| self.kept.read(name, &self.history)) else { return };
        let closed = server.closed().await;
        let (popups, renews) = (screen.count(), server.tells_maker_alone().await);
        for (id, popup) in self.ledger.take_over(screen, &closed, renews, self.start.elapsed()) {
            server.adopt(id, &popup);
        }
        info!(popups, "took over what an earlier agent left on the screen");
    }

    /// Writes down what is on the screen, now or later. Gives when to call again, where that is later.
    pub(super) fn keep(&mut self) -> Option<Duration> {
        let Desktop::Server(server) = &self.desktop else { return None };
        if self.history.is_empty() {
            return None;
        }
        self.kept.write(self.ledger.mark(), self.start.elapsed(), server.name(), &self.history, || self.ledger.screen())
    }
}
