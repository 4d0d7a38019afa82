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

/// The samples of an ordinary file, track by track, found by the tables of its last `moov`; times
/// are those on the movie's timeline, in the track's units, as its edits put them.
pub(in crate::mp4) fn samples_of_file(file: &[u8]) -> Vec<Read> {
    let all = boxes(file);
    let (_, moov) = all.iter().rfind(|(name, _)| name == "moov").unwrap();
    let traks = boxes(moov).into_iter().filter(|(name, _)| name == "trak");
    traks.flat_map(|(_, trak)| samples_of_trak(file, trak)).collect()
}

/// The entries of a table, as its numbers.
pub(in crate::mp4) fn table(stbl: &[u8], name: &str, width: usize) -> Vec<Vec<u32>> {
    let Some(table) = find(stbl, name) else { return Vec::new() };
    let entries = table[8..].chunks(width * 4);
    entries.map(|entry| entry.chunks(4).map(u32_at).collect()).collect()
}

/// Runs of values, spelled out.
fn spelled(runs: &[Vec<u32>]) -> Vec<u32> {
    runs.iter().flat_map(|run| vec![run[1]; run[0] as usize]).collect()
}

fn samples_of_trak(file: &[u8], trak: &[u8]) -> Vec<Read> {
    let track = u32_at(&find(trak, "tkhd").unwrap()[20..]);
    let scale = u64::from(u32_at(&find(trak, "mdia/mdhd").unwrap()[20..]));
    let stbl = find(trak, "mdia/minf/stbl").unwrap();
    let sizes: Vec<usize> = find(stbl, "stsz").unwrap()[12..].chunks(4).map(be32).collect();
    let durations = spelled(&table(stbl, "stts", 2));
    let compositions = spelled(&table(stbl, "ctts", 2));
    let keys = find(stbl, "stss").map(|_| table(stbl, "stss", 1).concat());
    let chunks: Vec<usize> = table(stbl, "co64", 2).iter().map(|two| two[1] as usize).collect();
    let per_chunk = table(stbl, "stsc", 3);
    let mut begins = Vec::new();
    for (at, offset) in chunks.iter().enumerate() {
        let runs = per_chunk.iter().rev();
        let count = runs.clone().find(|run| run[0] as usize <= at + 1).unwrap()[1];
        let mut offset = *offset;
        for _ in 0..count {
            begins.push(offset);
            offset += sizes[begins.len() - 1];
        }
    }
    assert_eq!((sizes.len(), sizes.len()), (begins.len(), durations.len()), "tables agree");
    let edits = find(trak, "edts/elst").map_or(Vec::new(), |elst| {
        let entries = elst[8..].chunks(20);
        let number = |bytes: &[u8]| i64::from_be_bytes(bytes[..8].try_into().unwrap());
        entries.map(|entry| (number(entry), number(&entry[8..]))).collect()
    });
    let (delay, begin) = match edits[..] {
        [] => (0, 0),
        [(_, begin)] => (0, begin),
        [(delay, -1), (_, begin)] => (delay * scale as i64 / 90_000, begin),
        _ => panic!("edits {edits:?}"),
    };
    // Times before the first edit are negative: kept as they wrap.
    let mut time = (delay - begin).cast_unsigned();
    let mut all = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        let duration = u64::from(durations[at]);
        let composition = compositions.get(at).copied().unwrap_or(0).cast_signed();
        let number = u32::try_from(at + 1).unwrap();
        let is_key = keys.as_ref().is_none_or(|keys| keys.contains(&number));
        let data = file[begins[at]..begins[at] + size].to_vec();
        all.push(Read { track, time, duration, composition, is_key, data });
        time = time.wrapping_add(duration);
    }
    all
}
