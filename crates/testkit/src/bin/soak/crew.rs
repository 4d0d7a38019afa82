//! Those who publish and play: each at its place lives one life after the other until all leave.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::books::Books;
use crate::plan::Lives;
use crate::{Result, play, publish, steady};

/// A crew that is at work.
#[derive(Debug)]
pub(crate) struct Crew {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<()>>,
}

/// What all of a crew share.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) addr: SocketAddr,
    pub(crate) books: Arc<Books>,
    stop: watch::Receiver<bool>,
}

/// How many there are, and the seed of what they do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) publishers: u32,
    pub(crate) players: u32,
    pub(crate) steady: u32,
    pub(crate) seed: u64,
}

impl Desk {
    /// The address of a stream.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("rtmp://{}/{key}", self.addr)
    }

    /// Waits, but not when all are to leave; whether they are.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        let mut stop = self.stop.clone();
        // The sender is gone only after it has told.
        tokio::time::timeout(time, stop.wait_for(|stop| *stop)).await.is_ok()
    }
}

impl Crew {
    /// Has them come.
    pub(crate) fn start(addr: SocketAddr, books: Arc<Books>, size: Size) -> Self {
        let (stop, told) = watch::channel(false);
        let desk = Desk { addr, books, stop: told };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, all(desk, size));
            Ok(())
        });
        Self { stop, thread }
    }

    /// Has them leave, and waits until they are gone.
    pub(crate) fn leave(self) -> Result<()> {
        self.stop.send_replace(true);
        self.thread.join().map_err(|_| "those who publish and play have failed")?
    }
}

async fn all(desk: Desk, size: Size) {
    let desk = Rc::new(desk);
    let (publishers, players) = (size.publishers, size.players);
    let mut tasks = Vec::new();
    for number in 0..size.steady {
        tasks.push(tokio::task::spawn_local(steady::pair(desk.clone(), number)));
    }
    for place in 0..publishers {
        let (desk, mut lives) = (desk.clone(), Lives::new(size.seed, 0, place, publishers));
        tasks.push(tokio::task::spawn_local(async move {
            loop {
                let life = lives.publish();
                if desk.pause(Duration::from_millis(life.wait_ms)).await {
                    return;
                }
                publish::live(&desk, life).await;
            }
        }));
    }
    for player in 0..players {
        let (desk, mut lives) = (desk.clone(), Lives::new(size.seed, 1, player, publishers));
        tasks.push(tokio::task::spawn_local(async move {
            loop {
                let life = lives.play();
                if desk.pause(Duration::from_millis(life.wait_ms)).await {
                    return;
                }
                play::live(&desk, life).await;
            }
        }));
    }
    for task in tasks {
        if let Err(error) = task.await {
            desk.books.problem(format!("one of those who publish and play failed: {error}"));
        }
    }
}
