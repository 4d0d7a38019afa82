//! What the server's operator wants of a connection: that something on it ends, that its client connects again, that
//! nothing new begins, and the server's end.

use std::time::{Duration, Instant};

use rtmp::server::CloseCode;

use super::{Connection, End};
use crate::sessions::{Kick, Reconnect};
use crate::telemetry;

/// After something was ended from outside the client has this long to read why.
const KICKED: Duration = Duration::from_secs(1);
/// At the server's end a player has this long to take what is left.
const DRAIN: Duration = Duration::from_secs(2);

impl Connection {
    /// Asks the client to connect again, and ends what is to end, and tells the client. What else the connection
    /// publishes or plays goes on; when there is nothing, the connection ends as soon as the client had time to read why.
    pub(super) fn on_kick(&mut self) {
        let (peer, why) = (self.client.peer(), "ended by the operator of the server");
        if let Some(ask) = self.client.session.peer.take_reconnect() {
            self.ask(&ask);
        }
        let kicks = self.client.session.peer.take_kicks();
        let is_kicked = !kicks.is_empty();
        for kick in kicks {
            match kick {
                Kick::Publisher(stream) => {
                    for publish in self.publishes.iter().filter(|p| p.stream == stream) {
                        telemetry::publisher_kicked(publish.key(), peer);
                    }
                    self.session.close_stream(stream, CloseCode::Failed, why);
                    self.end_publishes(|p| p.stream == stream, &End::Kicked);
                }
                Kick::Player(stream) => {
                    if let Some(play) = self.plays.get_mut(stream) {
                        telemetry::player_kicked(play.key(), peer);
                    }
                    self.session.close_stream(stream, CloseCode::Failed, why);
                    self.end_plays(|p| p.stream == stream, &End::Kicked);
                }
            }
        }
        if is_kicked && self.is_idle() {
            self.kicked = Some(Instant::now() + KICKED);
        }
    }

    /// Asks a client that has just come to connect to another server, if this one is being emptied.
    pub(super) fn ask_elsewhere(&mut self) {
        if let Some(draining) = self.context.drain.elsewhere()
            && self.ask(&draining.ask)
        {
            draining.count(1);
        }
    }

    /// Asks the client to connect again; whether it follows such requests.
    fn ask(&mut self, ask: &Reconnect) -> bool {
        self.session.request_reconnect(ask.tc_url.as_deref(), ask.description.as_deref())
    }

    /// Why nothing new may begin here, if so.
    pub(super) fn is_closed_to_new(&self) -> Option<String> {
        match (self.kicked, self.closing) {
            (Some(_), _) => Some(End::Kicked.to_string()),
            (_, Some(_)) => Some("the server is stopping".to_owned()),
            (None, None) => self.context.drain.refusal(),
        }
    }

    /// Ends what is published, and lets players take what is left of the runs that they read.
    pub(super) fn begin_closing(&mut self) {
        self.read_rest();
        for publish in &self.publishes {
            let why = "the server is stopping";
            self.session.close_stream(publish.stream, CloseCode::Stopped, why);
        }
        self.end_publishes(|_| true, &End::Stopping);
        for stream in self.plays.waiting() {
            self.session.end(stream);
        }
        self.end_plays(|p| !p.reads(), &End::Stopping);
        self.closing = Some(Instant::now() + DRAIN);
    }
}
