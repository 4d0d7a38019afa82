use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::{Duration, Instant};

use bytes::Bytes;
use live::{Class, Publisher, Read, Registry, Start};
use media::{Chunks, Kind, Packet};
use rtmp::client::{ClientConfig, ClientEvent, ClientSession, Role};
use rtmp::server::{Event, ServerConfig, ServerSession};
use rtmp::url::Url;
use tokio::net::{TcpListener, TcpStream};

use super::super::play::Clock;
use super::*;
use crate::sessions::{Connected, Sessions};

/// What a player is sent: kind, time and body of each message.
type Sent = (Kind, u32, Bytes);

/// A stream that is published, and who plays it.
struct Stage {
    fanout: Arc<Fanout>,
    publisher: Publisher,
    key: Key,
    sessions: Arc<Sessions>,
    listener: TcpListener,
}

/// A player from both sides.
struct Viewer {
    client: ClientSession,
    far: TcpStream,
    /// The server's end.
    _near: Arc<TcpStream>,
    session: ServerSession,
    membership: Option<Membership>,
    _connected: Connected,
    got: Vec<Sent>,
}

impl Stage {
    async fn new() -> Self {
        let key = Key::new("live", "test").unwrap();
        let publisher = Registry::new(live::Limits::default()).publish(&key).unwrap();
        let sessions = Arc::new(Sessions::new(Arc::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stage = Self { fanout: Arc::default(), publisher, key, sessions, listener };
        stage.push(b"\x17\x01\0\0\0k", 0);
        stage
    }

    /// Appends a picture with this body.
    fn push(&mut self, body: &'static [u8], dts_ms: i64) {
        let packet = Packet::new(Kind::Video, dts_ms, Bytes::from_static(body));
        self.publisher.push(&mut vec![packet]);
    }

    /// A player that has read all there is, and is in no group yet.
    async fn viewer(&mut self) -> (Viewer, Member) {
        let far = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        let (near, addr) = self.listener.accept().await.unwrap();
        let (client, mut session) = playing();
        let mut cursor = self.publisher.cursor(Class::Play, Start::Newest);
        let mut batch = Vec::new();
        while std::future::poll_fn(|cx| Poll::Ready(cursor.poll_read(cx, &mut batch).is_ready()))
            .await
        {}
        let mut clock = Clock::default();
        for packet in &mut batch {
            clock.map(packet, Instant::now());
            assert!(session.send(1, packet));
        }
        let mut out = Chunks::new();
        session.take_output(&mut out);
        let (near, connected) = (Arc::new(near), self.sessions.connect(addr));
        let feed = session.feed(1).unwrap();
        let standing = Box::new(Standing { cursor, clock, feed });
        let member = Member { socket: near.clone(), peer: connected.peer.clone(), standing };
        let (membership, got) = Default::default();
        let mut viewer =
            Viewer { client, far, _near: near, session, membership, _connected: connected, got };
        viewer.take(&out.to_vec());
        (viewer, member)
    }

    async fn joined(&mut self) -> Viewer {
        let (mut viewer, member) = self.viewer().await;
        viewer.membership = Some(self.fanout.join(&self.key, member).unwrap());
        viewer
    }

    fn groups(&self) -> usize {
        self.fanout.lock().values().map(Vec::len).sum()
    }
}

impl Viewer {
    /// Reads from its socket until it was sent so many messages.
    async fn read(&mut self, messages: usize) {
        let mut buffer = vec![0; 1 << 20];
        while self.got.len() < messages {
            let ready = tokio::time::timeout(Duration::from_secs(60), self.far.readable()).await;
            ready.expect("messages that were sent").unwrap();
            if let Ok(n) = self.far.try_read(&mut buffer) {
                assert!(n > 0, "the connection is closed");
                self.take(&buffer[..n]);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.client.handle_input(Instant::now(), bytes).unwrap();
        while let Some(event) = self.client.poll_event() {
            if let ClientEvent::Media { kind, timestamp, body } = event {
                self.got.push((kind, timestamp, body));
            }
        }
    }

    /// Waits until the group lets go of it.
    async fn released(&mut self) -> Back {
        let membership = self.membership.as_mut().unwrap();
        let back = std::future::poll_fn(|cx| membership.poll_back(cx));
        let back = tokio::time::timeout(Duration::from_secs(60), back).await;
        back.expect("to be let go").unwrap()
    }

    /// Waits until the group lets go of it in the middle of a write; what it was sent, the rest, and then what its
    /// cursor reads.
    async fn goes_on_alone(&mut self) {
        let mut back = self.released().await;
        assert!(back.read.is_none() && !back.rest.is_empty());
        self.session.take_back(&back.standing.feed);
        let mut batch = Vec::new();
        while std::future::poll_fn(|cx| {
            Poll::Ready(back.standing.cursor.poll_read(cx, &mut batch).is_ready())
        })
        .await
        {}
        batch.iter().for_each(|packet| assert!(self.session.send(1, packet)));
        let mut out = Chunks::new();
        self.session.take_output(&mut out);
        let own = [back.rest.to_vec(), out.to_vec()].concat();
        let mut buffer = vec![0; 1 << 20];
        while let Ok(n) = self.far.try_read(&mut buffer) {
            assert!(n > 0, "the connection is closed");
            self.take(&buffer[..n]);
        }
        self.take(&own);
    }
}

/// Both ends of a play of stream 1 that was granted.
fn playing() -> (ClientSession, ServerSession) {
    let now = Instant::now();
    let url = Url::parse("rtmp://localhost/live/test").unwrap();
    let mut client = ClientSession::new(ClientConfig::new(&url, Role::Play), &[1; 1528], now);
    let mut server = ServerSession::new(ServerConfig::default(), &[2; 1528], now);
    loop {
        let (mut there, mut back) = (Chunks::new(), Chunks::new());
        client.take_output(&mut there);
        server.handle_input(now, &there.to_vec()).unwrap();
        while let Some(event) = server.poll_event() {
            if let Event::Connect { request, .. } | Event::Play { request, .. } = event {
                server.accept(request);
            }
        }
        server.take_output(&mut back);
        client.handle_input(now, &back.to_vec()).unwrap();
        while client.poll_event().is_some() {}
        if there.is_empty() && back.is_empty() {
            return (client, server);
        }
    }
}

/// With [`REPEATS`] longer than any socket's buffers, and alone shorter.
static LONG: [u8; 32 << 10] = {
    let mut body = [b'x'; 32 << 10];
    body[0] = 0x27;
    body[1] = 1;
    body
};
const REPEATS: i64 = 400;

#[tokio::test]
async fn all_members_are_sent_what_comes_wherever_they_joined() {
    let mut stage = Stage::new().await;
    let mut viewers = vec![stage.joined().await];
    for round in 1..=5 {
        stage.push(b"\x27\x01\0\0\0f", round * 40);
        // It has read this packet, which the group may have yet to write.
        viewers.push(stage.joined().await);
    }
    stage.push(b"\x17\x01\0\0\0K", 400);
    for viewer in &mut viewers {
        viewer.read(7).await;
        assert_eq!(viewer.got, expected());
    }
    assert_eq!(stage.groups(), 1);
    assert_eq!(stage.publisher.stats().players, 6);
}

fn expected() -> Vec<Sent> {
    let key = (Kind::Video, 0, Bytes::from_static(b"\x17\x01\0\0\0k"));
    let frames = (1..=5).map(|n| (Kind::Video, n * 40, Bytes::from_static(b"\x27\x01\0\0\0f")));
    let last = (Kind::Video, 400, Bytes::from_static(b"\x17\x01\0\0\0K"));
    std::iter::once(key).chain(frames).chain([last]).collect()
}

#[tokio::test]
async fn who_takes_less_than_all_goes_on_alone_with_the_rest_and_the_others_with_the_group() {
    let mut stage = Stage::new().await;
    let (mut slow, mut quick) = (stage.joined().await, stage.joined().await);
    for n in 1..=REPEATS {
        stage.push(&LONG, n * 40);
        quick.read(1 + usize::try_from(n).unwrap()).await;
    }
    slow.goes_on_alone().await;
    assert!(slow.got == quick.got);
    assert_eq!(slow.got.len(), 401);
}

#[tokio::test]
async fn after_much_that_was_written_others_get_their_turn() {
    let mut stage = Stage::new().await;
    let (viewer, member) = stage.viewer().await;
    let group = Group::around(&member);
    let mut seats = vec![(viewer, group.admit(member).unwrap())];
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    let polled = |group: &Group| {
        assert!(group.poll(&mut Context::from_waker(&waker)).is_pending());
        wakes.0.swap(0, Ordering::Relaxed)
    };
    assert_eq!(polled(&group), 0);
    stage.push(&LONG, 40);
    assert_eq!((polled(&group), polled(&group)), (1, 0), "woken by what has come, and no more");
    for _ in 1..group::MEMBERS {
        let (viewer, member) = stage.viewer().await;
        seats.push((viewer, group.admit(member).unwrap()));
    }
    const { assert!(2 * LONG.len() * group::MEMBERS >= group::TURN_BYTES) };
    stage.publisher.push(&mut vec![
        Packet::new(Kind::Video, 80, Bytes::from_static(&LONG)),
        Packet::new(Kind::Video, 120, Bytes::from_static(&LONG)),
    ]);
    assert_eq!((polled(&group), polled(&group)), (2, 0), "and once to go on");
    for (viewer, _) in &mut seats {
        viewer.read(4).await;
    }
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn beyond_the_last_group_players_go_on_alone() {
    let mut stage = Stage::new().await;
    let mut viewers = Vec::new();
    for _ in 0..GROUPS * group::MEMBERS {
        viewers.push(stage.joined().await);
    }
    assert_eq!(stage.groups(), GROUPS);
    let (_one_more, member) = stage.viewer().await;
    assert!(stage.fanout.join(&stage.key, member).is_err());
    // Whose place becomes free is another's.
    drop(viewers.remove(0));
    let _in_its_place = stage.joined().await;
}

#[tokio::test]
async fn a_full_group_is_followed_by_another_and_a_place_that_is_left_is_free() {
    let mut stage = Stage::new().await;
    let mut viewers = Vec::new();
    for _ in 0..=group::MEMBERS {
        viewers.push(stage.joined().await);
    }
    assert_eq!(stage.groups(), 2);
    stage.push(b"\x27\x01\0\0\0f", 40);
    for viewer in &mut viewers {
        viewer.read(2).await;
    }
    // Leaving and joining again, in mid-stream.
    let mut first = viewers.remove(0);
    let back = first.membership.take().unwrap().leave().unwrap();
    assert!(back.rest.is_empty() && back.read.is_none());
    first.session.take_back(&back.standing.feed);
    let feed = first.session.feed(1).unwrap();
    assert!(feed.is_like(&back.standing.feed));
    drop(viewers.pop());
    stage.push(b"\x27\x01\0\0\0f", 80);
    for viewer in &mut viewers {
        viewer.read(3).await;
    }
    let (newcomer, member) = stage.viewer().await;
    let joined = stage.fanout.join(&stage.key, member).unwrap();
    assert_eq!(stage.groups(), 1, "the group that is empty is over");
    drop((newcomer, joined));
}

#[tokio::test]
async fn who_is_sent_other_bytes_is_in_another_group() {
    let mut stage = Stage::new().await;
    let _first = stage.joined().await;
    let (mut viewer, mut member) = stage.viewer().await;
    // Held over two runs, with a time of its own.
    member.standing.clock.resume(-1_000, Instant::now());
    viewer.membership = Some(stage.fanout.join(&stage.key, member).unwrap());
    assert_eq!(stage.groups(), 2);
    stage.push(b"\x27\x01\0\0\0f", 40);
    viewer.read(2).await;
    assert!(viewer.got[1].1 > 1_000, "{:?}", viewer.got);
}

#[tokio::test]
async fn the_end_of_the_run_is_for_each_member_to_act_upon_and_ends_the_group() {
    let mut stage = Stage::new().await;
    let mut viewers = vec![stage.joined().await, stage.joined().await];
    stage.push(b"\x27\x01\0\0\0f", 40);
    let Stage { fanout, publisher, .. } = stage;
    drop(publisher);
    for viewer in &mut viewers {
        viewer.read(2).await;
        let back = viewer.released().await;
        assert!(matches!(back.read, Some(Read::Ended { .. })));
    }
    let over = async {
        while !fanout.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), over).await.expect("the group to end");
}

#[tokio::test]
async fn a_group_that_fails_lets_everybody_go_and_takes_nobody_in() {
    let mut stage = Stage::new().await;
    let mut viewer = stage.joined().await;
    let terms = stage.fanout.lock().keys().next().cloned().unwrap();
    let group = stage.fanout.lock()[&terms][0].clone();
    // As when the task panics.
    drop(Task { fanout: stage.fanout.clone(), terms, group });
    let membership = viewer.membership.as_mut().unwrap();
    let back = std::future::poll_fn(|cx| membership.poll_back(cx));
    assert!(tokio::time::timeout(Duration::from_secs(60), back).await.unwrap().is_none());
    assert_eq!(stage.groups(), 0);
    let _second = stage.joined().await;
    assert_eq!(stage.groups(), 1);
}
