//! Commands: bombs in their values, in any order, and as many streams as can be asked for.

use bytes::Bytes;
use media::amf0::Value;
use rtmp::chunk::Message;
use rtmp::command::Command;
use testkit::Noise;
use testkit::client::{Error, Wire};

use super::bystander::assert_peak;
use super::{connected, crowd, publishing, server, unharmed};
use crate::publish::source;

/// AMF that is small on the wire and large, deep or endless where it is read without limits.
fn bombs() -> Vec<Vec<u8>> {
    let string = |length: u32, has: usize| {
        [b"\x0c".as_slice(), &length.to_be_bytes(), &vec![b'x'; has]].concat()
    };
    let list = |count: u32| [b"\x0a".as_slice(), &count.to_be_bytes()].concat();
    // Each list has the one before it twice (AMF0 2.9: references are numbers of objects so far).
    let doubled = (0..30_u16).flat_map(|n| {
        let [high, low] = n.to_be_bytes();
        [list(2), vec![7, high, low, 7, high, low]].concat()
    });
    vec![
        b"\x03\0\x01a".repeat(15_000),
        b"\x0a\0\0\0\x01".repeat(12_000),
        [list(u32::MAX), vec![5; 60_000]].concat(),
        [b"\x08".as_slice(), &u32::MAX.to_be_bytes(), &b"\0\x01a\x05".repeat(10_000)].concat(),
        [list(31), list(2), vec![5, 5], doubled.collect()].concat(),
        [list(2), vec![7, 0, 0, 7, 0, 0]].concat(),
        b"\x07\xff\xff".repeat(10_000),
        string(u32::MAX, 60_000),
        string(60_000, 60_000),
        // An object's name that is as long as can be, and a class's.
        [b"\x03\xff\xff".as_slice(), &[b'x'; 60_000]].concat(),
        [b"\x10\xff\xff".as_slice(), &[b'x'; 60_000]].concat(),
        // AMF3: lists in lists, an endless list, traits without end, references to nothing.
        [b"\x11".as_slice(), &b"\x09\x03\x01".repeat(15_000)].concat(),
        [b"\x11\x09\xff\xff\xff\xff\x01".as_slice(), &[1; 50_000]].concat(),
        [b"\x11\x0a\xff\xff\xff\xff\x01".as_slice(), &b"\x03a".repeat(20_000)].concat(),
        [b"\x11".as_slice(), &b"\x0a\x02\x09\x02\x06\x02".repeat(5_000)].concat(),
        [b"\x11\x06\xff\xff\xff\xff".as_slice(), &[b'x'; 50_000]].concat(),
    ]
}

/// A command or a data message with these bytes where its values are.
fn message(message_type: u8, name: &str, stream: u32, values: &[u8]) -> Message {
    let mut body = Vec::new();
    if message_type == 17 || message_type == 15 {
        body.push(0);
    }
    media::amf0::encode_string(name, &mut body);
    if message_type == 20 || message_type == 17 {
        media::amf0::encode(&Value::Number(1.0), &mut body);
    }
    body.extend(values);
    let chunk_stream_id = 3;
    let body = Bytes::from(body);
    Message { chunk_stream_id, message_stream_id: stream, message_type, timestamp: 0, body }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_of_amf_in_commands_and_metadata_do_no_harm() {
    /// Messages that hold AMF: commands and data, in both forms.
    const FORMS: [(u8, &str); 5] =
        [(20, "connect"), (20, "x"), (17, "publish"), (18, "@setDataFrame"), (15, "onMetaData")];
    /// In MiB. Of each of ten peers 256 KiB of messages may be half read, and one is made of 16,384 values of some 100
    /// bytes and 1 MiB of text: 30 MiB; and as much for their recordings and what the allocator keeps.
    const PEAK_MAX: u64 = 64;
    let bombs = bombs();
    unharmed(server(), async |server, round| {
        let before = server.usage().rss_bytes;
        for (number, bomb) in bombs.iter().enumerate() {
            crowd(2 * FORMS.len(), async |i| {
                let (message_type, name) = FORMS[i / 2];
                let (mut wire, stream) = match i % 2 {
                    0 => (Wire::open(server.addr()).await.unwrap(), 0),
                    _ => (publishing(server, &format!("bomb-{round}-{number}-{i}")).await, 1),
                };
                // The first may end the connection.
                for _ in 0..5 {
                    let _ = wire.send(&message(message_type, name, stream, bomb)).await;
                }
            })
            .await;
        }
        assert_peak(server, before, PEAK_MAX);
    })
    .await;
}

/// Names of commands that servers know, and of answers.
const NAMES: [&str; 22] = [
    "connect",
    "createStream",
    "publish",
    "play",
    "play2",
    "deleteStream",
    "closeStream",
    "releaseStream",
    "FCPublish",
    "FCUnpublish",
    "FCSubscribe",
    "pause",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "getStreamLength",
    "_result",
    "_error",
    "onStatus",
    "close",
    "call",
    "",
];

/// Any call, with a few names that others use too.
fn any_call(noise: &mut Noise) -> (u32, Command) {
    let transaction = *noise.one(&[0.0, 1.0, -1.0, 4.0, f64::NAN, 1e300]);
    let name = *noise.one(&NAMES);
    let mut command = Command::new(name, transaction, Vec::new());
    if noise.below(3) == 0 {
        command.object = Value::Object(vec![("app".to_owned(), "live".into())]);
    }
    for _ in 0..3 {
        // `test` is the bystander's own, which is taken.
        let names = ["live", "test", "any-0", "any-1", "any-2", "any-3", "any-4"];
        let values = [Value::Null, f64::NEG_INFINITY.into(), 1.0.into(), Value::Boolean(true)];
        command.arguments.push(match noise.below(2) {
            0 => (*noise.one(&names)).into(),
            _ => noise.one(&values).clone(),
        });
    }
    (*noise.one(&[0, 1, 2, 3, 4]), command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_any_order_are_answered_or_end_their_connection() {
    let packets = source(3, 5);
    unharmed(server(), async |server, round| {
        crowd(100, async |i| {
            let mut noise = Noise::new(round << 32 | i as u64);
            let mut wire = match i % 4 {
                0 => Wire::open(server.addr()).await.unwrap(),
                _ => connected(server).await,
            };
            for _ in 0..60 {
                let (stream, command) = any_call(&mut noise);
                if wire.command(stream, &command).await.is_err() {
                    break;
                }
                if noise.below(4) == 0 {
                    let _ = wire.media(stream, noise.one(&packets)).await;
                }
            }
            // Whoever is not answered any more is not connected any more.
            let answer = wire.ping().await;
            assert!(!matches!(answer, Err(Error::Timeout(_))), "{i}: {answer:?}");
        })
        .await;
    })
    .await;
}

/// Creates streams in parts that the server takes before the answers are read, and deletes again
/// what it got, if that is asked for; how many it got.
async fn create(wire: &mut Wire, count: usize, deletes: bool) -> usize {
    const PART: usize = 20;
    let mut granted = 0;
    for _ in 0..count / PART {
        let mut last = 0.0;
        for _ in 0..PART {
            last = wire.call(0, "createStream", Vec::new()).await.unwrap();
        }
        let streams = answers(wire, last).await;
        granted += streams.len();
        for stream in streams.into_iter().filter(|_| deletes) {
            wire.call(0, "deleteStream", vec![stream]).await.unwrap();
        }
    }
    granted
}

/// Reads up to the answer of a transaction; the streams that were granted.
async fn answers(wire: &mut Wire, last: f64) -> Vec<Value> {
    let mut streams = Vec::new();
    loop {
        let (_, command) = wire.next_command().await.unwrap();
        if command.name == "_result" {
            streams.push(command.argument(0).clone());
        }
        if command.transaction_id == last {
            return streams;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_create_stream_are_refused_beyond_the_limit_and_places_come_back() {
    /// In MiB. For each of four peers 1 MiB of answers may wait; the rest is what the program loads of itself.
    const PEAK_MAX: u64 = 32;
    unharmed(server(), async |server, _| {
        let before = server.usage().rss_bytes;
        crowd(4, async |_| {
            let mut wire = connected(server).await;
            assert_eq!(create(&mut wire, 4_000, false).await, 32);
            for stream in 1..=32 {
                let stream = f64::from(stream);
                wire.call(0, "deleteStream", vec![stream.into()]).await.unwrap();
            }
            wire.ping().await.unwrap();
            assert_eq!(create(&mut wire, 4_000, true).await, 4_000);
        })
        .await;
        assert_peak(server, before, PEAK_MAX);
    })
    .await;
}
