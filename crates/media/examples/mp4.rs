//! Makes MP4 of FLV, as the recorder and the views do: `mp4 fragments < in.flv > out.mp4`.
//!
//! What it is told to make: `fragments` (an initialization segment and parts of a second), `growing`
//! (a recording as it is after a crash), `finished` (a recording) or `planned` (with its index
//! first); or `back`, the FLV file of such a recording.

use std::io::{Read, Write};

use media::flv::scan::{Bodies, Item, Scanner};
use media::mp4::mux::{Muxer, Options};
use media::mp4::plan::{Piece, Planner, SampleInfo};
use media::mp4::{Cut, Fragmenter, Movie, samples, scan};
use media::{Chunks, Header, Packet, Role, flv, time::Rebase};

const PART_MS: u64 = 1_000;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let form = std::env::args().nth(1).unwrap_or_default();
    if form == "back" {
        return back();
    }
    let packets = packets()?;
    let movie = Movie::of(&Header::default(), packets.iter().map(|(packet, _)| packet));
    for track in movie.tracks() {
        eprintln!("{} track {}: {}", track.kind.name(), track.id, track.codec_string);
    }
    for refused in movie.refused() {
        eprintln!("{refused}");
    }
    let mut out = Chunks::new();
    match form.as_str() {
        "fragments" => fragments(movie, &packets, &mut out)?,
        "growing" => {
            recording(movie, &packets, &mut out)?;
        }
        "finished" => {
            let mut muxer = recording(movie, &packets, &mut out)?;
            muxer.finish(&mut out);
            let mut file = out.to_vec();
            for patch in muxer.patches().into_iter().chain([muxer.complete_patch()]) {
                let at = usize::try_from(patch.offset)?;
                let place = file.get_mut(at..at + patch.bytes.len()).ok_or("no such place")?;
                place.copy_from_slice(&patch.bytes);
            }
            std::io::stdout().write_all(&file)?;
            return Ok(());
        }
        "planned" => planned(movie, &packets, &mut out)?,
        _ => return Err("say what to make: fragments, growing, finished, planned or back".into()),
    }
    std::io::stdout().write_all(&out.to_vec())?;
    Ok(())
}

fn planned(movie: Movie, packets: &[(Packet, u64)], out: &mut Chunks) -> Result<()> {
    let mut planner = Planner::new(movie);
    let mut bodies = Vec::new();
    for (packet, time_ms) in packets {
        for sample in samples(packet) {
            if planner.push(&SampleInfo::of(&sample, *time_ms))? {
                bodies.push(sample.data);
            }
        }
    }
    let planned = planner.finish();
    for piece in planned.pieces(0..planned.size_bytes()) {
        match piece {
            Piece::Head(_) => out.put_slice(planned.head()),
            Piece::Sample { index, .. } => out.put(bodies.get(index).ok_or("no sample")?.clone()),
        }
    }
    Ok(())
}

fn recording(movie: Movie, packets: &[(Packet, u64)], out: &mut Chunks) -> Result<Muxer> {
    let mut muxer = Muxer::new(movie, Options::default());
    for (packet, time_ms) in packets {
        if packet.role == Role::Key || muxer.open_ms() >= PART_MS {
            muxer.cut();
        }
        muxer.push(packet, *time_ms, out)?;
    }
    Ok(muxer)
}

/// Makes an FLV file of the recording on the standard input.
fn back() -> Result<()> {
    let mut file = Vec::new();
    std::io::stdin().read_to_end(&mut file)?;
    let mut scanner = scan::Scanner::new();
    scanner.push(&file);
    scanner.finish();
    let mut muxer = flv::mux::Muxer::new(flv::mux::Options::default());
    let mut out = Chunks::new();
    while let Some(item) = scanner.poll() {
        match item {
            scan::Item::Packet(packet) => {
                let time_ms = u64::try_from(packet.dts_ms)?;
                muxer.push(&packet, time_ms, &mut out)?;
            }
            scan::Item::Fault(fault) => {
                eprintln!("{} at byte {}", fault.kind, fault.offset);
            }
            _ => {}
        }
    }
    std::io::stdout().write_all(&out.to_vec())?;
    Ok(())
}

/// All packets of the FLV file on the standard input, with their times in the recording.
fn packets() -> Result<Vec<(Packet, u64)>> {
    let mut file = Vec::new();
    std::io::stdin().read_to_end(&mut file)?;
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(&file);
    scanner.finish();
    let mut rebase = Rebase::default();
    let mut packets = Vec::new();
    while let Some(item) = scanner.poll() {
        if let Item::Tag(tag) = item {
            let time_ms = rebase.map(&tag.packet);
            packets.push((tag.packet, time_ms));
        }
    }
    Ok(packets)
}

fn fragments(movie: Movie, packets: &[(Packet, u64)], out: &mut Chunks) -> Result<()> {
    out.put_slice(&movie.init_segment());
    let mut fragmenter = Fragmenter::new(movie);
    let mut sequence = 0;
    for (packet, time_ms) in packets {
        if packet.role == Role::Key || fragmenter.open_ms() >= PART_MS {
            sequence += u32::from(fragmenter.cut(Cut { sequence, ..Cut::default() }));
        }
        fragmenter.push(packet, *time_ms)?;
        while fragmenter.poll(out).is_some() {}
    }
    fragmenter.cut(Cut { sequence, ..Cut::default() });
    fragmenter.finish();
    while fragmenter.poll(out).is_some() {}
    Ok(())
}
