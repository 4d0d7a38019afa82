use rtmp::Limits;
use rtmp::chunk::ChunkReader;

use super::*;

fn config() -> SourceConfig {
    SourceConfig { key_interval: 10, ..SourceConfig::default() }
}

#[test]
fn messages_read_back_are_the_frames_with_their_stamps() {
    for chunk_size in [128, 4_096, 60_000] {
        let bank = Bank::new(&config(), Framing::Rtmp { chunk_size });
        let mut reader = ChunkReader::new(&Limits::default());
        reader.set_chunk_size(u32::try_from(chunk_size).unwrap()).unwrap();
        let mut out = Chunks::new();
        let slots: Vec<_> = Schedule::new(&config()).take(200).collect();
        for slot in &slots {
            let stamp = Stamp { stream: 5, sequence: slot.sequence, time_us: slot.sequence + 9 };
            bank.put(slot, &stamp, 0x0102_0304, &mut out);
        }
        let bytes = out.to_vec();
        let mut input = bytes.as_slice();
        for slot in &slots {
            let message = reader.read(&mut input).unwrap().unwrap();
            assert_eq!(i64::from(message.timestamp), slot.dts_ms());
            assert_eq!(message.message_stream_id, 0x0102_0304);
            assert_eq!(message.message_type, slot.kind.number());
            let stamp = Stamp::read(&message.body).unwrap();
            assert_eq!((stamp.stream, stamp.sequence), (5, slot.sequence));
            assert_eq!(stamp.time_us, slot.sequence + 9);
            assert_eq!(bank.read(slot, &message.body), Some(stamp));
        }
        assert!(input.is_empty());
    }
}

#[test]
fn a_frame_with_a_flipped_bit_is_not_the_slots() {
    let bank = Bank::new(&config(), Framing::Length);
    let slot = Schedule::new(&config()).nth(4).unwrap();
    let mut out = Chunks::new();
    bank.put(&slot, &Stamp { stream: 1, sequence: 4, time_us: 0 }, 0, &mut out);
    let bytes = out.to_vec();
    assert_eq!(bytes[..4], u32::try_from(slot.size).unwrap().to_be_bytes());
    let body = &bytes[4..];
    assert!(bank.read(&slot, body).is_some());
    for bit in 0..body.len() * 8 {
        let mut body = body.to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        assert!(bank.read(&slot, &body).is_none(), "bit {bit}");
    }
}
