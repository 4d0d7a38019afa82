//! Parts by their heads: the same messages as those that all bytes give.

use bytes::Bytes;

use super::*;
use crate::mp4::heads::{self, END_BYTES, Found, Message, Span};
use crate::mp4::tags::Tags;
use crate::mp4::tests::mux::{finished, growing};

/// The messages of a file, and their places; no more is read than is asked for.
fn messages(file: &[u8]) -> Vec<(u64, Message)> {
    let at = file.windows(4).position(|bytes| bytes == b"moov").unwrap() - 4;
    let len = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let tracks = heads::tracks(&file[at..at + len]).unwrap();
    let (mut at, mut wanted, mut all) = (at + len, 1, Vec::new());
    loop {
        let end = file.len().min(at + wanted);
        let bytes = Bytes::copy_from_slice(&file[at.min(end)..end]);
        match heads::part(&bytes, at as u64, &tracks) {
            Found::More(more) if end == at + wanted => {
                assert!(more > wanted);
                wanted = more;
            }
            Found::Part(part) => {
                all.extend((at as u64..).zip(part.messages));
                at += usize::try_from(part.size_bytes).unwrap();
                match file.get(at - END_BYTES..at) {
                    Some(end) if heads::is_end(end) => wanted = 1,
                    _ => return all,
                }
            }
            _ => return all,
        }
    }
}

fn whole(file: &[u8], message: &Message) -> Packet {
    let read = |span: &Span, body: &mut Vec<u8>| {
        let start = usize::try_from(span.position).unwrap();
        body.extend_from_slice(&file[start..start + span.len]);
        Ok::<(), ()>(())
    };
    message.read(read).unwrap()
}

/// The same of all bytes, without what the file says of itself.
fn tags(file: &[u8]) -> Vec<(u64, Packet)> {
    let mut tags = Tags::new();
    tags.push(file);
    tags.finish();
    let found = std::iter::from_fn(|| tags.poll()).filter_map(|item| match item {
        crate::flv::scan::Item::Tag(tag) => Some((tag.offset, tag.packet)),
        _ => None,
    });
    found.skip(1).collect()
}

proptest! {
    #[test]
    fn heads_tell_every_message_and_where_its_bytes_are(
        packets in parts::stream(),
        cuts in proptest::collection::vec(1_usize..80, 0..6),
        is_finished in any::<bool>(),
        bent in any::<(prop::sample::Index, u8)>(),
    ) {
        let (_, mut file) = if is_finished { finished } else { growing }(&packets, &cuts);
        let found = messages(&file);
        for (_, message) in &found {
            let packet = whole(&file, message);
            let head = &message.head;
            prop_assert_eq!(message.size_bytes, packet.body.len());
            prop_assert_eq!(
                (head.kind, head.role, head.track, head.dts_ms),
                (packet.kind, packet.role, packet.track, packet.dts_ms)
            );
            prop_assert_eq!(samples(head).count(), samples(&packet).count());
        }
        let found: Vec<_> = found.iter().map(|(at, message)| (*at, whole(&file, message))).collect();
        prop_assert_eq!(found, tags(&file));

        // Whatever is in a file, what is told is inside of it.
        let at = bent.0.index(file.len());
        file[at] = bent.1;
        let moov = file.windows(4).position(|bytes| bytes == b"moov");
        if at > moov.unwrap_or(at) + 2_000 {
            for (_, message) in messages(&file) {
                for span in &message.spans {
                    prop_assert!(span.position + span.len as u64 <= file.len() as u64);
                }
            }
        }
    }
}
