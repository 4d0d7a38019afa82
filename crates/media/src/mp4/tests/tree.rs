//! Reads boxes back: as a tree in text, and as the samples of a part.

/// Boxes that hold boxes, and how many bytes stand before them.
fn inner(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"moov" | b"trak" | b"mdia" | b"minf" | b"dinf" | b"stbl" | b"mvex" | b"moof" | b"traf"
        | b"udta" | b"edts" => 0,
        b"dref" | b"stsd" => 8,
        b"avc1" | b"hvc1" | b"vvc1" | b"av01" | b"vp08" | b"vp09" => 78,
        b"mp4a" | b"Opus" | b"fLaC" | b"ac-3" | b"ec-3" => 28,
        _ => return None,
    })
}

fn u32_at(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

fn be32(bytes: &[u8]) -> usize {
    u32_at(bytes) as usize
}

/// Every box with its name, its place and its content.
pub(in crate::mp4) fn boxes(mut bytes: &[u8]) -> Vec<(String, &[u8])> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (size, head) = match be32(bytes) {
            1 => (be32(&bytes[12..]), 16),
            size => (size, 8),
        };
        let name = String::from_utf8_lossy(&bytes[4..8]).into_owned();
        all.push((name, &bytes[head..size]));
        bytes = &bytes[size..];
    }
    all
}

/// The content of the first box on a path.
pub(in crate::mp4) fn find<'a>(bytes: &'a [u8], path: &str) -> Option<&'a [u8]> {
    path.split('/').try_fold(bytes, |content, name| {
        let (_, found) = boxes(content).into_iter().find(|(found, _)| found == name)?;
        Some(&found[inner(name.as_bytes()).unwrap_or(0)..])
    })
}

/// One line a box: its name, and its content in hex where it holds no boxes; of a long one the
/// beginning.
pub(in crate::mp4) fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    put(bytes, 0, &mut text);
    text
}

fn put(bytes: &[u8], depth: usize, text: &mut String) {
    const SHOWN: usize = 120;
    for (name, content) in boxes(bytes) {
        let before = inner(name.as_bytes());
        let shown = before.unwrap_or(content.len()).min(SHOWN);
        let hex: String = content[..shown].iter().map(|byte| format!("{byte:02x}")).collect();
        // Runs of zeros are long and say nothing.
        let hex = hex.replace(&"00".repeat(16), "(0*16)");
        let more = if before.is_none() && content.len() > SHOWN { "..." } else { "" };
        let line = format!("{:1$}{name} {hex}{more}", "", 2 * depth);
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(before) = before {
            put(&content[before..], depth + 1, text);
        }
    }
}

/// A sample of a part: track, time and duration in the track's units, composition, key, bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mp4) struct Read {
    pub(in crate::mp4) track: u32,
    pub(in crate::mp4) time: u64,
    pub(in crate::mp4) duration: u64,
    pub(in crate::mp4) composition: i32,
    pub(in crate::mp4) is_key: bool,
    pub(in crate::mp4) data: Vec<u8>,
}

/// The samples of one part, found by what its `moof` says of their places.
pub(in crate::mp4) fn samples_of(part: &[u8]) -> Vec<Read> {
    let moof_at = part.windows(4).position(|name| name == b"moof").unwrap() - 4;
    let moof = find(&part[moof_at..], "moof").unwrap();
    let mut all = Vec::new();
    for (_, traf) in boxes(moof).into_iter().filter(|(name, _)| name == "traf") {
        let track = u32_at(&find(traf, "tfhd").unwrap()[4..]);
        let tfdt = find(traf, "tfdt").unwrap();
        let mut time = u64::from_be_bytes(tfdt[4..12].try_into().unwrap());
        let trun = find(traf, "trun").unwrap();
        let is_video = be32(trun) & 0x0C00 != 0;
        let mut at = moof_at + be32(&trun[8..]);
        let width = if is_video { 16 } else { 8 };
        for entry in trun[12..].chunks(width) {
            let (duration, len) = (be32(entry) as u64, be32(&entry[4..]));
            let is_key = !is_video || be32(&entry[8..]) == 0x0200_0000;
            let composition = if is_video { u32_at(&entry[12..]).cast_signed() } else { 0 };
            let data = part[at..at + len].to_vec();
            all.push(Read { track, time, duration, composition, is_key, data });
            time += duration;
            at += len;
        }
    }
    all
}
