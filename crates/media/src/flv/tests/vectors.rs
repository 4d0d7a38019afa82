//! One message of each form, as hex.

use crate::{Kind, Role};

/// A message and what it says.
pub(super) struct Vector {
    /// The section of the specification, and the form.
    pub(super) section: &'static str,
    pub(super) kind: Kind,
    pub(super) hex: &'static str,
    pub(super) role: Role,
    /// As `super::told` puts it.
    pub(super) told: &'static str,
}

const fn video(section: &'static str, hex: &'static str, role: Role, told: &'static str) -> Vector {
    Vector { section, kind: Kind::Video, hex, role, told }
}

const fn audio(section: &'static str, hex: &'static str, role: Role, told: &'static str) -> Vector {
    Vector { section, kind: Kind::Audio, hex, role, told }
}

/// `avc1` 61766331, `hvc1` 68766331, `vvc1` 76766331, `av01` 61763031, `vp08` 76703038, `vp09`
/// 76703039; `mp4a` 6d703461, `.mp3` 2e6d7033, `Opus` 4f707573, `fLaC` 664c6143, `ac-3` 61632d33,
/// `ec-3` 65632d33; `zzzz` 7a7a7a7a is nobody's.
pub(super) const VECTORS: &[Vector] = &[
    // Enhanced Video: VideoPacketType, one of each codec.
    video(
        "SequenceStart AVC",
        "90 61766331 0164",
        Role::Config,
        "0 avc1 Key SequenceStart 0ms 0ns 0164",
    ),
    video(
        "SequenceStart HEVC",
        "90 68766331 01",
        Role::Config,
        "0 hvc1 Key SequenceStart 0ms 0ns 01",
    ),
    video(
        "SequenceStart VVC",
        "90 76766331 ff",
        Role::Config,
        "0 vvc1 Key SequenceStart 0ms 0ns ff",
    ),
    video(
        "SequenceStart AV1",
        "90 61763031 81",
        Role::Config,
        "0 av01 Key SequenceStart 0ms 0ns 81",
    ),
    video(
        "SequenceStart VP8",
        "90 76703038 01",
        Role::Config,
        "0 vp08 Key SequenceStart 0ms 0ns 01",
    ),
    video(
        "SequenceStart VP9",
        "90 76703039 01",
        Role::Config,
        "0 vp09 Key SequenceStart 0ms 0ns 01",
    ),
    video(
        "CodedFrames AVC",
        "91 61766331 000050 aa",
        Role::Key,
        "0 avc1 Key CodedFrames 80ms 0ns aa",
    ),
    video(
        "CodedFrames HEVC, negative",
        "a1 68766331 ffffd8 aa",
        Role::Frame,
        "0 hvc1 Inter CodedFrames -40ms 0ns aa",
    ),
    video(
        "CodedFrames VVC",
        "a1 76766331 7fffff aa",
        Role::Frame,
        "0 vvc1 Inter CodedFrames 8388607ms 0ns aa",
    ),
    video(
        "CodedFrames AV1",
        "a1 61763031 000050",
        Role::Frame,
        "0 av01 Inter CodedFrames 0ms 0ns 000050",
    ),
    video("CodedFrames VP8", "91 76703038 30", Role::Key, "0 vp08 Key CodedFrames 0ms 0ns 30"),
    video("CodedFrames VP9", "91 76703039 82", Role::Key, "0 vp09 Key CodedFrames 0ms 0ns 82"),
    video(
        "CodedFrames unknown FourCC",
        "91 7a7a7a7a 000001",
        Role::Key,
        "0 zzzz Key CodedFrames 0ms 0ns 000001",
    ),
    video(
        "CodedFramesX AVC",
        "93 61766331 aabbccdd",
        Role::Key,
        "0 avc1 Key CodedFramesX 0ms 0ns aabbccdd",
    ),
    video(
        "CodedFramesX HEVC",
        "a3 68766331 aa",
        Role::Frame,
        "0 hvc1 Inter CodedFramesX 0ms 0ns aa",
    ),
    video(
        "CodedFrames, generated key frame",
        "c1 61763031 aa",
        Role::Key,
        "0 av01 GeneratedKey CodedFrames 0ms 0ns aa",
    ),
    video(
        "CodedFrames, disposable",
        "b1 61763031 aa",
        Role::Frame,
        "0 av01 DisposableInter CodedFrames 0ms 0ns aa",
    ),
    video("SequenceEnd", "92 68766331", Role::Event, "0 hvc1 Key SequenceEnd 0ms 0ns "),
    video(
        "MPEG2TSSequenceStart AV1",
        "95 61763031 8004",
        Role::Config,
        "0 av01 Key Mpeg2TsSequenceStart 0ms 0ns 8004",
    ),
    video(
        "reserved packet type",
        "98 61763031 aa",
        Role::Frame,
        "0 av01 Key Unknown(8) 0ms 0ns aa",
    ),
    video(
        "VideoCommand StartSeek",
        "d1 00",
        Role::Event,
        "0 \\x00\\x00\\x00\\x00 Command CodedFrames 0ms 0ns 00",
    ),
    // Metadata Frame: the frame type is to be ignored.
    video(
        "Metadata, colorInfo undefined",
        "d4 68766331 02 0009 636f6c6f72496e666f 06",
        Role::Metadata,
        "0 hvc1 Command Metadata 0ms 0ns 020009636f6c6f72496e666f06",
    ),
    video(
        "Metadata, colorInfo {}",
        "94 61763031 02 0009 636f6c6f72496e666f 03 000009",
        Role::Metadata,
        "0 av01 Key Metadata 0ms 0ns 020009636f6c6f72496e666f03000009",
    ),
    // ModEx.
    video(
        "ModEx, 5 ns",
        "97 02 000005 03 76703039 aa",
        Role::Key,
        "0 vp09 Key CodedFramesX 0ms 5ns aa",
    ),
    video(
        "ModEx, 999,999 ns",
        "a7 02 0f423f 01 61766331 000028 aa",
        Role::Frame,
        "0 avc1 Inter CodedFrames 40ms 999999ns aa",
    ),
    video(
        "ModEx, 1,000,000 ns cannot be",
        "a7 02 0f4240 03 61763031 aa",
        Role::Frame,
        "0 av01 Inter CodedFramesX 0ms 0ns aa",
    ),
    video(
        "ModEx, two",
        "97 02 000001 07 00 ee 43 61763031 aa",
        Role::Key,
        "0 av01 Key CodedFramesX 0ms 1ns aa",
    ),
    video(
        "ModEx, size in 16 bits",
        "97 ff 0004 000007 eeee 03 61763031 aa",
        Role::Key,
        "0 av01 Key CodedFramesX 0ms 7ns aa",
    ),
    video(
        "ModEx before a command",
        "d7 00 00 01 01",
        Role::Event,
        "0 \\x00\\x00\\x00\\x00 Command CodedFrames 0ms 0ns 01",
    ),
    video(
        "ModEx before Multitrack",
        "97 02 000009 06 03 76703039 01 aa",
        Role::Key,
        "1 vp09 Key CodedFramesX 0ms 9ns aa",
    ),
    // Multitrack: OneTrack, ManyTracks, ManyTracksManyCodecs.
    video(
        "OneTrack SequenceStart",
        "96 00 61766331 05 0164",
        Role::Config,
        "5 avc1 Key SequenceStart 0ms 0ns 0164",
    ),
    video(
        "OneTrack CodedFrames",
        "a6 01 68766331 ff 000028 aa",
        Role::Frame,
        "255 hvc1 Inter CodedFrames 40ms 0ns aa",
    ),
    video(
        "OneTrack Metadata",
        "96 04 68766331 01 02",
        Role::Metadata,
        "1 hvc1 Key Metadata 0ms 0ns 02",
    ),
    video(
        "ManyTracks SequenceStart",
        "96 10 68766331 00 000001 aa 01 000002 bbcc",
        Role::Config,
        "0 hvc1 Key SequenceStart 0ms 0ns aa; 1 hvc1 Key SequenceStart 0ms 0ns bbcc",
    ),
    video(
        "ManyTracks CodedFrames",
        "96 11 61766331 02 000004 000028 aa 03 000003 ffffd8",
        Role::Key,
        "2 avc1 Key CodedFrames 40ms 0ns aa; 3 avc1 Key CodedFrames -40ms 0ns ",
    ),
    video(
        "ManyTracks SequenceEnd",
        "96 12 61763031 00 000000 01 000000",
        Role::Event,
        "0 av01 Key SequenceEnd 0ms 0ns ; 1 av01 Key SequenceEnd 0ms 0ns ",
    ),
    video(
        "ManyTracksManyCodecs SequenceStart",
        "96 20 61766331 00 000001 aa 76703039 01 000001 bb",
        Role::Config,
        "0 avc1 Key SequenceStart 0ms 0ns aa; 1 vp09 Key SequenceStart 0ms 0ns bb",
    ),
    video(
        "ManyTracksManyCodecs CodedFrames",
        "a6 21 61766331 00 000004 000050 aa 61763031 01 000001 bb",
        Role::Frame,
        "0 avc1 Inter CodedFrames 80ms 0ns aa; 1 av01 Inter CodedFrames 0ms 0ns bb",
    ),
    // What is reserved, or bent.
    video(
        "Multitrack in Multitrack",
        "96 06 61766331 00",
        Role::Frame,
        "! multitrack inside multitrack",
    ),
    video("reserved layout", "96 31 61766331 00", Role::Frame, "! reserved multitrack layout 3"),
    video(
        "ManyTracks, second cut short",
        "96 13 61763031 00 000001 aa 01 000009 bb",
        Role::Key,
        "0 av01 Key CodedFramesX 0ms 0ns aa; ! the message ends inside its track",
    ),
    video(
        "ManyTracks, first without its time",
        "96 11 61766331 00 000001 aa 01 000004 000000 bb",
        Role::Key,
        "! the message ends inside its composition time; 1 avc1 Key CodedFrames 0ms 0ns bb",
    ),
    // Enhanced Audio: AudioPacketType, one of each codec.
    audio("SequenceStart AAC", "90 6d703461 1210", Role::Config, "0 mp4a SequenceStart 0ns 1210"),
    audio("SequenceStart Opus, empty", "90 4f707573", Role::Config, "0 Opus SequenceStart 0ns "),
    audio(
        "SequenceStart FLAC",
        "90 664c6143 664c6143",
        Role::Config,
        "0 fLaC SequenceStart 0ns 664c6143",
    ),
    audio("CodedFrames AAC", "91 6d703461 21", Role::Frame, "0 mp4a CodedFrames 0ns 21"),
    audio("CodedFrames MP3", "91 2e6d7033 fffb", Role::Frame, "0 .mp3 CodedFrames 0ns fffb"),
    audio("CodedFrames Opus", "91 4f707573 fc", Role::Frame, "0 Opus CodedFrames 0ns fc"),
    audio("CodedFrames FLAC", "91 664c6143 fff8", Role::Frame, "0 fLaC CodedFrames 0ns fff8"),
    audio("CodedFrames AC-3", "91 61632d33 0b77", Role::Frame, "0 ac-3 CodedFrames 0ns 0b77"),
    audio("CodedFrames E-AC-3", "91 65632d33 0b77", Role::Frame, "0 ec-3 CodedFrames 0ns 0b77"),
    audio("CodedFrames unknown FourCC", "91 7a7a7a7a 01", Role::Frame, "0 zzzz CodedFrames 0ns 01"),
    audio("SequenceEnd", "92 4f707573", Role::Event, "0 Opus SequenceEnd 0ns "),
    audio(
        "MultichannelConfig, unspecified",
        "94 4f707573 00 02",
        Role::Metadata,
        "0 Opus MultichannelConfig 0ns 0002",
    ),
    audio(
        "MultichannelConfig, native 5.1",
        "94 4f707573 01 06 0000003f",
        Role::Metadata,
        "0 Opus MultichannelConfig 0ns 01060000003f",
    ),
    audio(
        "MultichannelConfig, custom",
        "94 664c6143 02 03 0001fe",
        Role::Metadata,
        "0 fLaC MultichannelConfig 0ns 02030001fe",
    ),
    audio("reserved packet type", "93 4f707573 01", Role::Frame, "0 Opus Unknown(3) 0ns 01"),
    audio(
        "ModEx, three",
        "97 02 000100 07 00 ff 57 02 000007 01 4f707573 fc",
        Role::Frame,
        "0 Opus CodedFrames 7ns fc",
    ),
    audio(
        "ModEx before Multitrack",
        "97 02 000003 05 01 6d703461 02 21",
        Role::Frame,
        "2 mp4a CodedFrames 3ns 21",
    ),
    audio(
        "OneTrack SequenceStart",
        "95 00 6d703461 03 1210",
        Role::Config,
        "3 mp4a SequenceStart 0ns 1210",
    ),
    audio(
        "OneTrack MultichannelConfig",
        "95 04 4f707573 01 01 06 0000003f",
        Role::Metadata,
        "1 Opus MultichannelConfig 0ns 01060000003f",
    ),
    audio(
        "ManyTracks CodedFrames",
        "95 11 6d703461 00 000001 21 01 000002 2122",
        Role::Frame,
        "0 mp4a CodedFrames 0ns 21; 1 mp4a CodedFrames 0ns 2122",
    ),
    audio(
        "ManyTracksManyCodecs SequenceStart",
        "95 20 6d703461 00 000002 1210 4f707573 01 000000",
        Role::Config,
        "0 mp4a SequenceStart 0ns 1210; 1 Opus SequenceStart 0ns ",
    ),
    audio(
        "ManyTracksManyCodecs SequenceEnd",
        "95 22 6d703461 00 000000 7a7a7a7a 09 000000",
        Role::Event,
        "0 mp4a SequenceEnd 0ns ; 9 zzzz SequenceEnd 0ns ",
    ),
    audio("silence", "", Role::Event, ""),
    audio(
        "Multitrack in Multitrack",
        "95 05 6d703461 00",
        Role::Frame,
        "! multitrack inside multitrack",
    ),
    audio("reserved layout", "95 f1 6d703461 00", Role::Frame, "! reserved multitrack layout 15"),
];
