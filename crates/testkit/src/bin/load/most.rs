//! How many publishers in real time are too many: more and more of them, then the half between.
//!
//! As many as there are are carried when every frame is recorded and with the players, and none
//! was more than a second late.

use serde_json::json;

use crate::Result;
use crate::options::{Beside, Options};
use crate::target::Target;
use crate::trial::{Outcome, trial};

/// The latest that anything may be, in ms.
const LAG_MAX_MS: f64 = 1_000.0;
/// The search ends when it knows the number this well.
const PARTS: u32 = 16;

/// Searches for the server, and for the one beside it; prints every step and the results.
pub(crate) fn search(options: &Options) -> Result<bool> {
    let server = most(options, "server", Target::server)?;
    let beside = match options.beside {
        Some(Beside::NginxRtmp) => Some(most(options, "nginx-rtmp", Target::nginx)?),
        None => None,
    };
    if options.json {
        let side = |most: u32| json!({ "median": { "publishers": most } });
        println!("{:#}", json!({ "server": side(server), "beside": beside.map(side) }));
    } else {
        println!("server: {server}");
        beside.into_iter().for_each(|beside| println!("nginx-rtmp: {beside}"));
    }
    Ok(true)
}

/// Between what is carried and what is not.
fn most(options: &Options, name: &str, target: impl Fn(&Options) -> Result<Target>) -> Result<u32> {
    let (mut carried, mut next, mut too_many) = (0, options.publishers, None);
    loop {
        let options = Options { publishers: next, ..options.clone() };
        let outcome = target(&options).and_then(|target| trial(&options, target, None));
        let trouble = outcome.map_or_else(|error| Some(error.to_string()), |o| trouble(&o));
        if !options.json {
            println!("{name}: {next}: {}", trouble.as_deref().unwrap_or("all of them"));
        }
        match trouble {
            None => carried = next,
            Some(_) => too_many = Some(next),
        }
        next = match too_many {
            None => next + (next / 4).max(1),
            Some(too_many) if too_many - carried <= (too_many / PARTS).max(1) => {
                return Ok(carried);
            }
            Some(too_many) => u32::midpoint(carried, too_many),
        };
    }
}

/// What was wrong with a run.
fn trouble(outcome: &Outcome) -> Option<String> {
    let lag_ms = outcome.late_ms.max(outcome.seen.latency.max_ms().unwrap_or(0.0));
    match outcome.errors.first() {
        Some(error) => Some(error.clone()),
        None => (lag_ms > LAG_MAX_MS).then(|| format!("{lag_ms:.0} ms late")),
    }
}
