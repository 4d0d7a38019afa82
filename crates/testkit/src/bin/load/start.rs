//! What a server costs before anybody comes: its time to listen, its memory, its size.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use crate::figures::median;
use crate::options::{Beside, Options};
use crate::target::Target;

/// After this long a server has nothing left to do.
const REST: Duration = Duration::from_secs(1);

/// Starts servers and prints medians.
pub(crate) fn measure(options: &Options) -> Result<bool> {
    let server = starts(options, &Target::server)?;
    let beside = match options.beside {
        Some(Beside::NginxRtmp) => Some(starts(options, &Target::nginx)?),
        None => None,
    };
    let size_mb = size_mb(&Target::program(options)?)?;
    if options.json {
        let side = |(start_ms, idle_mib): (f64, f64), size_mb: Option<f64>| json!({ "median": { "start_ms": start_ms, "idle_mib": idle_mib, "size_mb": size_mb } });
        let beside = beside.map(|figures| side(figures, None));
        println!("{:#}", json!({ "server": side(server, Some(size_mb)), "beside": beside }));
        return Ok(true);
    }
    for (name, figures) in [("server", Some(server)), ("nginx-rtmp", beside)] {
        if let Some((start_ms, idle_mib)) = figures {
            println!("{name}: listens after {start_ms:.1} ms, has {idle_mib:.1} MiB when idle");
        }
    }
    println!("size of the server: {size_mb:.1} MB");
    Ok(true)
}

/// Medians: ms until a connection is taken, and MiB of memory at rest.
fn starts(options: &Options, target: &dyn Fn(&Options) -> Result<Target>) -> Result<(f64, f64)> {
    let (mut start_ms, mut idle_mib) = (Vec::new(), Vec::new());
    for _ in 0..options.repeat {
        let began = Instant::now();
        let target = target(options)?;
        drop(std::net::TcpStream::connect(target.addr())?);
        start_ms.push(began.elapsed().as_secs_f64() * 1e3);
        thread::sleep(REST);
        idle_mib.push(mb(target.usage()?.rss_bytes, 1 << 20));
        target.abandon();
    }
    Ok((median(start_ms).unwrap_or(0.0), median(idle_mib).unwrap_or(0.0)))
}

fn size_mb(program: &Path) -> Result<f64> {
    Ok(mb(std::fs::metadata(program)?.len(), 1_000_000))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mb(bytes: u64, unit: u64) -> f64 {
    bytes as f64 / unit as f64
}
