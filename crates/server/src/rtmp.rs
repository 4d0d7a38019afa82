//! RTMP connections: the listener, a task for each connection, and what it publishes and plays.
//!
//! The protocol itself is the crate `rtmp`; here its sessions are driven by sockets and clocks, and its events
//! become publishers and cursors of `live`.

mod connection;
mod fanout;
mod listener;
pub(crate) mod play;
mod publish;
mod quiet;
mod report;
mod socket;

use std::sync::Arc;

use arc_swap::ArcSwap;
use archive::Archive;
use live::Registry;
use tokio::sync::watch;

use crate::Config;
use crate::config::Settings;
use crate::director::Director;
use crate::drain::Drain;
use crate::http::Outlook;
use crate::hub::Hub;
use crate::pictures::Pictures;
use crate::sessions::Sessions;

pub(crate) use fanout::Fanout;
pub(crate) use listener::{Listener, accept, bind};
pub(crate) use report::{Rates, rates};

/// What every connection shares.
pub(crate) struct Context {
    pub(crate) config: Config,
    /// All of them as they are now; `config` is what the server began with.
    pub(crate) settings: ArcSwap<Settings>,
    pub(crate) registry: Registry,
    pub(crate) archive: Arc<Archive>,
    /// What is recorded of what.
    pub(crate) director: Arc<Director>,
    /// Groups of players.
    pub(crate) fanout: Arc<Fanout>,
    /// Who is connected.
    pub(crate) sessions: Arc<Sessions>,
    /// Whether the server is being emptied.
    pub(crate) drain: Drain,
    /// Whether recording works.
    pub(crate) outlook: Arc<Outlook>,
    /// Pictures of streams and recordings.
    pub(crate) pictures: Arc<Pictures>,
    /// What happens.
    pub(crate) hub: Arc<Hub>,
    /// Becomes true when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}
