//! RTMP connections: the listener, a task for each connection, and what it publishes and plays.
//!
//! The protocol itself is the crate `rtmp`; here its sessions are driven by sockets and clocks, and its events
//! become publishers and cursors of `live`.

mod connection;
mod listener;
mod play;
mod publish;
mod report;

use std::sync::Arc;

use archive::Archive;
use live::Registry;
use tokio::sync::watch;

use crate::Config;

pub(crate) use listener::{Listener, bind};
pub(crate) use report::Rates;

/// What every connection shares.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) archive: Arc<Archive>,
    /// Becomes true when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}
