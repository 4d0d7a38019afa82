use media::Role as PacketRole;
use proptest::prelude::*;

use super::*;
use crate::capabilities::caps_ex;
use crate::command::{Level, on_status, status};
use crate::message::{Content, message_type};
use crate::server::{CloseCode, Event, RejectCode, RequestId, ServerConfig, ServerSession};

/// Any instant will do, and this is the only way to one.
#[expect(clippy::disallowed_methods, reason = "tests need an instant to count from")]
fn start() -> Instant {
    Instant::now()
}

fn client(role: Role) -> ClientSession {
    let url = Url::parse("rtmp://user:secret@localhost/live/inst/test?token=1").unwrap();
    ClientSession::new(ClientConfig::new(&url, role), &[1; 1528], start())
}

/// A client and a server that are connected through memory.
struct Pair {
    client: ClientSession,
    server: ServerSession,
    now: Instant,
    events: Vec<ClientEvent>,
    seen: Vec<Event>,
    reject: Option<(&'static str, RejectCode)>,
    /// The longest piece in which bytes get across.
    piece: usize,
}

impl Pair {
    fn new(role: Role) -> Self {
        let now = start();
        Self {
            client: client(role),
            server: ServerSession::new(ServerConfig::default(), &[2; 1528], now),
            now,
            events: Vec::new(),
            seen: Vec::new(),
            reject: None,
            piece: usize::MAX,
        }
    }

    fn ready(role: Role) -> Self {
        let mut pair = Self::new(role);
        pair.run();
        assert_eq!(pair.events, [ClientEvent::Ready]);
        pair.events.clear();
        pair.seen.clear();
        pair
    }

    /// Until neither has anything to say.
    fn run(&mut self) {
        loop {
            let mut out = Chunks::new();
            self.client.take_output(&mut out);
            let up = out.to_vec();
            out.clear();
            for piece in up.chunks(self.piece.min(up.len().max(1))) {
                self.server.handle_input(self.now, piece).unwrap();
                self.serve();
            }
            self.server.take_output(&mut out);
            let down = out.to_vec();
            for piece in down.chunks(self.piece.min(down.len().max(1))) {
                self.client.handle_input(self.now, piece).unwrap();
                self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
            }
            if up.is_empty() && down.is_empty() {
                return;
            }
        }
    }

    fn serve(&mut self) {
        while let Some(event) = self.server.poll_event() {
            match &event {
                Event::Connect { request, .. } => self.decide(*request, "connect"),
                Event::Publish { request, .. } => self.decide(*request, "publish"),
                Event::Play { request, .. } => self.decide(*request, "play"),
                _ => {}
            }
            self.seen.push(event);
        }
    }

    fn decide(&mut self, request: RequestId, what: &str) {
        match self.reject {
            Some((refused, code)) if refused == what => self.server.reject(request, code, "No."),
            _ => self.server.accept(request),
        }
    }
}

/// Packets of all kinds, sizes around the chunk size, times around 2^24 and 2^32.
fn packets() -> Vec<Packet> {
    let metadata = b"\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09";
    let cue = b"\x02\x00\x0aonCuePoint\x05";
    let mut packets = vec![
        Packet::new(Kind::Data, 0, Bytes::from_static(metadata)),
        Packet::new(Kind::Video, 0, Bytes::from_static(b"\x17\0\0\0\0config")),
        Packet::new(Kind::Audio, 0, Bytes::from_static(b"\xAF\0\x12\x10")),
    ];
    let bases = [0, 0xFF_FFF0, 0x100_0000, 0xFFFF_FFF0, 0x1_0000_0010, 0x1_0100_0000];
    let lengths = [1, 127, 128, 129, 59_999, 60_000, 60_001, 200_000];
    for base in bases {
        for (at, length) in lengths.into_iter().enumerate() {
            let dts_ms = base + i64::try_from(at).unwrap() * 4;
            let first = if at % 4 == 0 { 0x17 } else { 0x27 };
            let mut video = vec![first, 1, 0, 0, 0];
            video.resize(length.max(5), u8::try_from(at).unwrap());
            packets.push(Packet::new(Kind::Video, dts_ms, video.into()));
            packets.push(Packet::new(Kind::Audio, dts_ms + 1, vec![0xAF; length.min(700)].into()));
        }
        packets.push(Packet::new(Kind::Data, base + 33, Bytes::from_static(cue)));
        packets.push(Packet::new(Kind::Audio, base + 33, Bytes::new()));
    }
    packets
}

fn expected() -> Vec<(Kind, u32, Bytes)> {
    let line = |packet: Packet| (packet.kind, packet.timestamp(), packet.body);
    packets().into_iter().map(line).collect()
}

#[test]
fn everything_published_arrives_as_it_was() {
    for piece in [usize::MAX, 4_001] {
        let mut pair = Pair::new(Role::Publish);
        pair.piece = piece;
        pair.run();
        assert_eq!(pair.events, [ClientEvent::Ready]);
        let Event::Publish { stream: 1, app, name, query, .. } = &pair.seen[1] else {
            panic!("{:?}", pair.seen)
        };
        assert_eq!((app.as_str(), name.as_str()), ("live/inst", "test"));
        assert_eq!(query.as_deref(), Some("token=1"));
        pair.seen.clear();
        for packet in packets() {
            assert!(pair.client.send(&packet));
        }
        pair.run();
        let arrived = pair.seen.iter().map(|event| match event {
            Event::Media { stream: 1, kind, timestamp, body, .. } => {
                (*kind, *timestamp, body.clone())
            }
            other => panic!("{other:?}"),
        });
        assert!(arrived.eq(expected()));
    }
}

#[test]
fn everything_played_arrives_as_it_was() {
    for piece in [usize::MAX, 4_001] {
        let mut pair = Pair::new(Role::Play);
        pair.piece = piece;
        pair.run();
        assert_eq!(pair.events, [ClientEvent::Ready], "the sample access is not media");
        pair.events.clear();
        for packet in packets() {
            assert!(pair.server.send(1, &packet));
        }
        pair.run();
        let arrived = pair.events.iter().map(|event| match event {
            ClientEvent::Media { kind, timestamp, body } => (*kind, *timestamp, body.clone()),
            other => panic!("{other:?}"),
        });
        assert!(arrived.eq(expected()));
    }
}

#[test]
fn connect_says_where_to_and_nothing_secret() {
    for (role, flash_ver) in
        [(Role::Publish, "FMLE/3.0 (compatible; rtmp-server/"), (Role::Play, "FMLE")]
    {
        let pair = Pair::new(role);
        let mut pair = pair;
        pair.run();
        let Event::Connect { info, .. } = &pair.seen[0] else { panic!() };
        assert_eq!(info.app, "live/inst");
        assert_eq!(info.tc_url, "rtmp://localhost:1935/live/inst");
        assert!(info.flash_ver.starts_with(flash_ver), "{}", info.flash_ver);
        assert_eq!(info.object.property("audioCodecs").is_some(), role == Role::Play);
    }
}

#[test]
fn each_side_learns_what_the_other_can_do() {
    for role in [Role::Publish, Role::Play] {
        let mut pair = Pair::new(role);
        assert!(pair.client.capabilities().is_legacy());
        pair.run();
        let mut server = Capabilities::forwarder();
        server.caps_ex |= caps_ex::RECONNECT;
        assert_eq!(*pair.client.capabilities(), server);
        let Event::Connect { info, .. } = &pair.seen[0] else { panic!() };
        let video_function = if role == Role::Play { 1 } else { 0 };
        assert_eq!(info.capabilities, Capabilities { video_function, ..Capabilities::forwarder() });
        assert_eq!(*pair.server.capabilities(), info.capabilities);
    }
}

#[test]
fn capabilities_are_read_beside_the_status_or_with_the_servers_properties() {
    let told = || vec![("capsEx".to_owned(), Value::from(6.0))];
    for in_status in [true, false] {
        let mut result = Command::new("_result", 1.0, vec![status(Level::Status, "x", "")]);
        result.object = Value::Object(if in_status { vec![] } else { told() });
        if let (true, Some(Value::Object(info))) = (in_status, result.arguments.first_mut()) {
            info.extend(told());
        }
        assert_eq!(offered(&result).caps_ex, 6);
    }
}

/// A client that follows requests to reconnect.
fn following(role: Role) -> Pair {
    let mut pair = Pair::new(role);
    let url = Url::parse("rtmp://localhost/live/inst/test").unwrap();
    let mut config = ClientConfig::new(&url, role);
    config.capabilities.caps_ex |= caps_ex::RECONNECT;
    pair.client = ClientSession::new(config, &[1; 1528], start());
    pair
}

#[test]
fn a_request_to_reconnect_is_an_event_and_the_stream_goes_on() {
    for role in [Role::Publish, Role::Play] {
        let mut pair = following(role);
        pair.run();
        pair.events.clear();
        assert!(pair.server.request_reconnect(None, None));
        assert!(pair.server.request_reconnect(Some("//b.example/other"), Some("Updates.")));
        pair.run();
        let request = |tc_url: &str, description: &str| ClientEvent::ReconnectRequest {
            tc_url: tc_url.to_owned(),
            description: description.to_owned(),
        };
        let expected = [
            request("rtmp://localhost:1935/live/inst", ""),
            request("rtmp://b.example/other", "Updates."),
        ];
        assert_eq!(pair.events, expected);
        pair.events.clear();
        pair.seen.clear();
        let packet = Packet::new(Kind::Audio, 40, Bytes::from_static(b"\xAF\x01"));
        match role {
            Role::Publish => assert!(pair.client.send(&packet)),
            Role::Play => assert!(pair.server.send(1, &packet)),
        }
        pair.run();
        assert_eq!(pair.events.len() + pair.seen.len(), 1, "it arrives");
        assert!(!pair.client.is_closed());
    }
}

#[test]
fn a_client_that_does_not_follow_is_not_asked() {
    let mut pair = Pair::ready(Role::Publish);
    assert!(!pair.server.request_reconnect(None, None));
    pair.run();
    assert_eq!(pair.events, []);
}

#[test]
fn a_request_to_reconnect_that_leads_nowhere_is_passed_over() {
    let mut pair = following(Role::Play);
    pair.run();
    pair.events.clear();
    let long = format!("rtmp://{}/live", "x".repeat(Limits::default().name_bytes));
    assert!(pair.server.request_reconnect(Some(&long), None));
    pair.run();
    assert_eq!(pair.events, []);
    pair.client.close();
    assert!(pair.server.request_reconnect(None, None));
    pair.run();
    assert_eq!(pair.events, [], "it leaves already");
}

#[test]
fn a_closed_publish_ends_in_order() {
    let mut pair = Pair::ready(Role::Publish);
    pair.client.close();
    pair.client.close();
    pair.run();
    assert_eq!(pair.seen, [Event::PublishEnded { stream: 1 }]);
    assert!(pair.client.is_closed());
    assert!(!pair.client.send(&packets()[0]));
    assert_eq!(pair.client.next_timeout(), None);
}

#[test]
fn a_closed_play_ends_in_order() {
    let mut pair = Pair::ready(Role::Play);
    pair.client.close();
    pair.run();
    assert_eq!(pair.seen, [Event::PlayEnded { stream: 1 }]);
}

#[test]
fn a_client_that_is_not_there_yet_closes_without_a_word() {
    let mut client = client(Role::Publish);
    let before = client.output_len();
    client.close();
    assert_eq!(client.output_len(), before);
}

#[test]
fn begin_and_end_come_once_each_though_they_are_told_twice() {
    let mut pair = Pair::ready(Role::Play);
    pair.server.begin(1);
    pair.server.end(1);
    pair.server.begin(1);
    pair.server.close_stream(1, CloseCode::Stopped, "");
    pair.run();
    let expected = [ClientEvent::Begin, ClientEvent::End, ClientEvent::Begin, ClientEvent::End];
    assert_eq!(pair.events, expected);
}

#[test]
fn media_without_a_begin_is_a_stream_that_was_there() {
    let mut pair = Pair::ready(Role::Play);
    pair.server.send(1, &packets()[1]);
    pair.server.begin(1);
    pair.server.end(1);
    pair.run();
    assert!(matches!(pair.events[..], [ClientEvent::Media { .. }, ClientEvent::End]));
}

#[test]
fn a_refusal_is_told_with_its_code_and_ends_the_session() {
    for (role, what, code, expected) in [
        (Role::Publish, "connect", RejectCode::Unauthorized, "NetConnection.Connect.Rejected"),
        (Role::Publish, "publish", RejectCode::BadName, "NetStream.Publish.BadName"),
        (Role::Play, "play", RejectCode::NotFound, "NetStream.Play.StreamNotFound"),
    ] {
        let mut pair = Pair::new(role);
        pair.reject = Some((what, code));
        pair.run();
        let (code, description) = (expected.to_owned(), "No.".to_owned());
        assert_eq!(pair.events, [ClientEvent::Rejected { code, description }]);
        assert!(pair.client.is_closed());
    }
}

#[test]
fn other_status_is_passed_on() {
    let mut pair = Pair::ready(Role::Publish);
    pair.server.close_stream(1, CloseCode::Idle, "Nothing came.");
    pair.run();
    let status = ClientEvent::Status {
        level: "status".to_owned(),
        code: "NetStream.Publish.Idle".to_owned(),
        description: "Nothing came.".to_owned(),
    };
    assert_eq!(pair.events, [status]);
}

#[test]
fn a_server_that_says_nothing_times_out_in_every_stage() {
    let mut client = client(Role::Publish);
    let at = client.next_timeout().unwrap();
    assert_eq!(client.handle_timeout(at - Duration::from_millis(1)), Ok(()));
    assert_eq!(client.handle_timeout(at), Err(Error::Timeout(Waiting::Handshake)));
    assert!(client.is_closed());
    assert_eq!(client.next_timeout(), None);

    for (replies, stage) in [(0, Waiting::Connect), (1, Waiting::Command), (2, Waiting::Command)] {
        let (mut client, mut server) = scripted(Role::Publish);
        let _ = server.replies(&mut client, replies);
        let at = client.next_timeout().unwrap();
        assert_eq!(client.handle_timeout(at), Err(Error::Timeout(stage)));
    }
    assert_eq!(Pair::ready(Role::Play).client.next_timeout(), None);
}

/// A server made of messages.
struct Script {
    writer: crate::chunk::ChunkWriter,
}

impl Script {
    fn message(&mut self, stream: u32, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Chunks::new();
        let body = Bytes::copy_from_slice(body);
        self.writer.write(&mut out, 3, stream, kind, 0, &body).unwrap();
        out.to_vec()
    }

    fn say(&mut self, client: &mut ClientSession, command: &Command) -> Result<(), Error> {
        let bytes = self.message(1, message_type::COMMAND_AMF0, &command.encode());
        client.handle_input(start(), &bytes)
    }

    /// The first so many of what takes a publisher to the end.
    fn replies(&mut self, client: &mut ClientSession, count: usize) -> Result<(), Error> {
        let success = status(Level::Status, "NetConnection.Connect.Success", "");
        let replies = [
            Command::new("_result", 1.0, vec![success]),
            Command::new("_result", 4.0, vec![5.0.into()]),
            on_status(Level::Status, "NetStream.Publish.Start", ""),
        ];
        replies.iter().take(count).try_for_each(|reply| self.say(client, reply))
    }
}

/// A client behind the handshake, and the script that goes on.
fn scripted(role: Role) -> (ClientSession, Script) {
    let mut client = client(role);
    let mut handshake = vec![0; 1 + 2 * 1536];
    handshake[0] = 3;
    client.handle_input(start(), &handshake).unwrap();
    (client, Script { writer: crate::chunk::ChunkWriter::new() })
}

/// The commands that are waiting to be sent, behind the handshake.
fn commands(client: &mut ClientSession) -> Vec<String> {
    let mut out = Chunks::new();
    client.take_output(&mut out);
    let bytes = out.to_vec();
    let mut input = &bytes[1 + 2 * 1536..];
    let limits = Limits::default();
    let mut reader = crate::chunk::ChunkReader::new(&limits);
    let mut lines = Vec::new();
    while let Some(message) = reader.read(&mut input).unwrap() {
        let stream = message.message_stream_id;
        match Content::of(message, &limits.amf).unwrap() {
            Content::Command(body) => {
                let command = Command::decode(&body, &limits.amf).unwrap().unwrap();
                lines.push(format!("{} {} @{stream}", command.name, command.transaction_id));
            }
            Content::Control(control) => {
                if let Control::SetChunkSize(size) = control {
                    reader.set_chunk_size(size).unwrap();
                }
                lines.push(format!("{control:?}"));
            }
            other => lines.push(format!("{other:?}")),
        }
    }
    lines
}

#[test]
fn a_publisher_speaks_in_the_order_of_ffmpeg() {
    let (mut client, mut server) = scripted(Role::Publish);
    server.replies(&mut client, 3).unwrap();
    client.close();
    let expected = [
        "connect 1 @0",
        "SetChunkSize(60000)",
        "releaseStream 2 @0",
        "FCPublish 3 @0",
        "createStream 4 @0",
        "publish 5 @5",
        "FCUnpublish 6 @0",
        "deleteStream 7 @0",
    ];
    assert_eq!(commands(&mut client), expected);
}

#[test]
fn a_player_asks_for_a_buffer_and_answers_pings_and_bandwidth() {
    let (mut client, mut server) = scripted(Role::Play);
    let success = status(Level::Status, "NetConnection.Connect.Success", "");
    server.say(&mut client, &Command::new("_result", 1.0, vec![success])).unwrap();
    server.say(&mut client, &Command::new("_result", 2.0, vec![7.0.into()])).unwrap();
    let ping = server.message(0, 4, &[0, 6, 0, 0, 0, 9]);
    client.handle_input(start(), &ping).unwrap();
    let bandwidth = server.message(0, 6, &[0, 0, 0, 9, 2]);
    client.handle_input(start(), &bandwidth).unwrap();
    let expected = [
        "connect 1 @0",
        "WindowAckSize(2500000)",
        "createStream 2 @0",
        "play 3 @7",
        "User(SetBufferLength { stream: 7, length_ms: 3000 })",
        "User(PingResponse(9))",
        "WindowAckSize(2500000)",
    ];
    assert_eq!(commands(&mut client), expected);
}

#[test]
fn metadata_goes_behind_set_data_frame_and_other_data_does_not() {
    let mut pair = Pair::ready(Role::Publish);
    let metadata = &packets()[0];
    assert_eq!(metadata.role, PacketRole::Metadata);
    pair.client.send(metadata);
    let mut out = Chunks::new();
    pair.client.take_output(&mut out);
    let contains = |bytes: &[u8]| bytes.windows(13).any(|window| window == b"@setDataFrame");
    assert!(contains(&out.to_vec()));
    out.clear();
    pair.client.send(&Packet::new(Kind::Data, 0, Bytes::from_static(b"\x02\x00\x05onCue")));
    pair.client.take_output(&mut out);
    assert!(!contains(&out.to_vec()));
}

#[test]
fn media_of_other_streams_and_of_publishers_is_not_passed_on() {
    let (mut client, mut server) = scripted(Role::Publish);
    server.replies(&mut client, 3).unwrap();
    let media = server.message(5, 9, b"\x17");
    client.handle_input(start(), &media).unwrap();
    assert_eq!(client.poll_event(), Some(ClientEvent::Ready));
    assert_eq!(client.poll_event(), None);
}

#[test]
fn media_before_the_play_was_asked_for_is_not_passed_on() {
    let (mut client, mut server) = scripted(Role::Play);
    // Before there is a stream its number is 0, which is the connection.
    for _ in 0..2 {
        let media = server.message(0, 9, b"\x17");
        client.handle_input(start(), &media).unwrap();
        assert_eq!(client.poll_event(), None);
        let success = status(Level::Status, "NetConnection.Connect.Success", "");
        server.say(&mut client, &Command::new("_result", 1.0, vec![success])).unwrap();
    }
    server.say(&mut client, &Command::new("_result", 2.0, vec![5.0.into()])).unwrap();
    let media = server.message(5, 9, b"\x17");
    client.handle_input(start(), &media).unwrap();
    assert!(matches!(client.poll_event(), Some(ClientEvent::Media { .. })));
}

#[test]
fn answers_to_other_calls_change_nothing() {
    let (mut client, mut server) = scripted(Role::Publish);
    server.say(&mut client, &Command::new("_result", 9.0, vec![])).unwrap();
    server.say(&mut client, &Command::new("onBWDone", 0.0, vec![])).unwrap();
    server.replies(&mut client, 1).unwrap();
    server.say(&mut client, &Command::new("_error", 2.0, vec![])).unwrap();
    server.say(&mut client, &Command::new("_result", 3.0, vec![])).unwrap();
    assert_eq!(client.poll_event(), None);
    assert!(!client.is_closed());
}

#[test]
fn a_stream_id_that_is_none_is_an_error() {
    for id in [Value::Null, 0.0.into(), (-1.0).into(), f64::NAN.into(), "1".into()] {
        let (mut client, mut server) = scripted(Role::Publish);
        server.replies(&mut client, 1).unwrap();
        let result = server.say(&mut client, &Command::new("_result", 4.0, vec![id]));
        assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
        assert!(client.is_closed());
    }
}

#[test]
fn events_are_bounded() {
    let mut pair = Pair::ready(Role::Play);
    pair.client.config.limits.events = 3;
    for packet in packets().iter().take(4) {
        pair.server.send(1, packet);
    }
    let mut out = Chunks::new();
    pair.server.take_output(&mut out);
    let result = pair.client.handle_input(pair.now, &out.to_vec());
    assert!(matches!(result, Err(Error::Limit { what: "events", .. })));
}

#[test]
fn a_server_that_is_none_is_refused() {
    let mut client = client(Role::Play);
    assert!(matches!(client.handle_input(start(), b"HTTP/1.1 400 Bad"), Err(Error::Refused(_))));
    assert!(client.is_closed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_that_a_server_says_panics(
        play in any::<bool>(),
        replies in 0usize..4,
        messages in proptest::collection::vec(
            (0u32..7, 0u8..24, proptest::collection::vec(any::<u8>(), 0..60)), 0..12),
    ) {
        let (mut client, mut server) = scripted(if play { Role::Play } else { Role::Publish });
        let _ = server.replies(&mut client, replies);
        for (stream, kind, body) in messages {
            let bytes = server.message(stream, kind, &body);
            let _ = client.handle_input(start(), &bytes);
        }
        while client.poll_event().is_some() {}
        client.close();
        prop_assert!(client.is_closed());
    }
}
