//! Work that waits for a disk: bounded in number and in time, so that a disk that hangs costs
//! requests a reason and nothing else anything.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::problem::{Code, Problem};

/// Calls that wait for disks at once, each in a thread: enough for disks, few enough that all of
/// them may hang.
const CALLS: usize = 32;
/// How long a request waits for a disk unless it says otherwise.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// The places for such work.
#[derive(Debug, Clone)]
pub(crate) struct DiskCalls(Arc<Semaphore>);

impl Default for DiskCalls {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CALLS)))
    }
}

impl DiskCalls {
    /// Runs `work` in a thread that may wait. A place that a hanging call holds is free again when
    /// that call comes back, not when its request was answered.
    ///
    /// # Errors
    /// `disk-busy` when there was no place before `deadline`, `disk-timeout` when there was no
    /// result.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let until = tokio::time::Instant::now() + deadline;
        let place = tokio::time::timeout_at(until, self.0.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            let detail = format!("{CALLS} requests are waiting for the disk already");
            return Err(Problem::new(Code::DiskBusy, detail));
        };
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        match tokio::time::timeout_at(until, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Problem::new(Code::Internal, error.to_string())),
            Err(_) => {
                let detail = format!("no answer in {} ms", deadline.as_millis());
                Err(Problem::new(Code::DiskTimeout, detail))
            }
        }
    }
}

#[cfg(test)]
mod tests;
