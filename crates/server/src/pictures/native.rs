//! The decoder for where there is no FFmpeg: H.264 alone, in a process of its own that runs this program again.
//!
//! Only its parent calls it so, and it reads what that wrote. The decoder that is used (`rust_h264`) is
//! young: whatever it does with a frame, it does here, with a time limit and at the lowest priority.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use media::flv::scan::{Item, Scanner};
use media::flv::video::{self, PacketType};
use media::{Kind, Role};
use rust_h264::decoder::{ChromaFormat, Decoder, Frame};
use rust_h264::nal::{self, NalUnitType};

use super::decode::PIXELS;

/// The first argument that calls for it; width and height follow.
pub const ARGUMENT: &str = "decode-h264-pictures";

/// Most bytes of the input: frames of one call, each as large as a message may be.
const INPUT_BYTES: u64 = 512 << 20;

/// Decodes, if that is what the program was called for: its name, [`ARGUMENT`], width and height.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let args: Vec<OsString> = args.into_iter().collect();
    let [_, argument, width, height] = args.as_slice() else { return None };
    if *argument != *ARGUMENT {
        return None;
    }
    let pixels = |text: &OsString| text.to_str().and_then(|text| text.parse::<u16>().ok());
    let size = pixels(width).zip(pixels(height));
    let done = size.ok_or_else(|| "two sizes are expected".to_owned()).and_then(decode);
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "{why}");
            ExitCode::FAILURE
        }
    })
}

fn decode(size: (u16, u16)) -> Result<(), String> {
    let mut input = Vec::new();
    let words = |error: std::io::Error| error.to_string();
    std::io::stdin().take(INPUT_BYTES).read_to_end(&mut input).map_err(words)?;
    let mut scanner = Scanner::default();
    scanner.push(&input);
    scanner.finish();
    let mut config = Vec::new();
    while let Some(item) = scanner.poll() {
        let Item::Tag(tag) = item else { continue };
        let packet = &tag.packet;
        let Some(tag) = video::parse(&packet.body).filter(|_| packet.kind == Kind::Video) else {
            continue;
        };
        match (packet.role, tag.packet_type) {
            (Role::Config, PacketType::SequenceStart) => config = tag.data.to_vec(),
            (Role::Key, _) => {
                let frame = picture(&config, tag.data)?;
                std::io::stdout().write_all(&fit(&frame, size)).map_err(words)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Decodes one key frame.
fn picture(config: &[u8], data: &[u8]) -> Result<Shown, String> {
    let config = nal::parse_avcc_config(config)?;
    let mut shown = None;
    let mut decoder = Decoder::new();
    let units = nal::parse_avcc(data, config.length_size);
    let mut decoded = None;
    for unit in config.sps_nals.iter().chain(&config.pps_nals).chain(&units) {
        if unit.nal_unit_type == NalUnitType::Sps {
            let sps = nal::parse_sps_info(unit).map_err(|error| error.to_string())?;
            let pixels = u64::from(sps.coded_width) * u64::from(sps.coded_height);
            if pixels > PIXELS {
                return Err(format!("{} x {} pixels are too many", sps.width, sps.height));
            }
            // Where nothing is said, what is usual for the size.
            let is_hd = match sps.matrix {
                1 => true,
                5 | 6 => false,
                _ => sps.height >= 720,
            };
            shown = Some((is_hd, sps.full_range));
        }
        let frame = decoder.decode_nal(unit).map_err(|error| error.to_string())?;
        decoded = decoded.or(frame);
    }
    let frame = decoded.or_else(|| decoder.flush()).ok_or("no picture in the key frame")?;
    let (is_hd, is_full_range) = shown.unwrap_or_default();
    Ok(Shown { frame, is_hd, is_full_range })
}

/// A frame, and how its numbers are colours.
struct Shown {
    frame: Frame,
    /// BT.709, else BT.601.
    is_hd: bool,
    is_full_range: bool,
}

impl Shown {
    /// The colour at a place.
    fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let frame = &self.frame;
        let depth = u32::from(frame.bit_depth.max(8)) - 8;
        let at = |plane: &[u8], row: usize, column: usize, width: usize| {
            let place = (row * width + column) * frame.bytes_per_sample();
            let low = plane.get(place).copied().map_or(0, i32::from);
            let high = match frame.bytes_per_sample() {
                1 => 0,
                _ => plane.get(place + 1).copied().map_or(0, i32::from),
            };
            (high << 8 | low) >> depth
        };
        let (width, chroma_width) = (frame.width as usize, frame.chroma_width() as usize);
        let chroma_row = match frame.chroma_format {
            ChromaFormat::Yuv420 => y / 2,
            _ => y,
        };
        let luma = at(&frame.y, y, x, width);
        let [blue, red] =
            [&frame.u, &frame.v].map(|p| at(p, chroma_row, x / 2, chroma_width) - 128);
        // In 1/65536.
        let [of_red, green_blue, green_red, of_blue] = match self.is_hd {
            true => [103_206, 12_276, 30_679, 121_609],
            false => [91_881, 22_554, 46_802, 116_130],
        };
        let (luma, scale) = match self.is_full_range {
            true => (luma << 16, 65_536),
            // 16 to 235, and 16 to 240.
            false => ((luma - 16) * 76_309, 74_606),
        };
        let part = |factor: i32, value: i32| {
            i32::try_from((i64::from(factor) * i64::from(value) * i64::from(scale)) >> 16)
                .unwrap_or(0)
        };
        let byte = |value: i32| u8::try_from(((value + 32_768) >> 16).clamp(0, 255)).unwrap_or(0);
        [
            byte(luma + part(of_red, red)),
            byte(luma - part(green_blue, blue) - part(green_red, red)),
            byte(luma + part(of_blue, blue)),
        ]
    }
}

/// Draws a frame into a picture of this size, its shape kept: each pixel is the mean of up to 16 of the frame's.
fn fit(shown: &Shown, (width, height): (u16, u16)) -> Vec<u8> {
    let (width, height) = (usize::from(width), usize::from(height));
    let (from_w, from_h) = (shown.frame.width as usize, shown.frame.height as usize);
    let mut rgb = vec![0; width * height * 3];
    if from_w == 0 || from_h == 0 {
        return rgb;
    }
    let is_wide = from_w * height >= from_h * width;
    let (w, h) = match is_wide {
        true => (width, (from_h * width / from_w).max(1)),
        false => ((from_w * height / from_h).max(1), height),
    };
    let (left, top) = ((width - w) / 2, (height - h) / 2);
    for (y, row) in rgb.chunks_exact_mut(width * 3).skip(top).take(h).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).skip(left).take(w).enumerate() {
            let mut sums = [0_u32; 3];
            let places = |n: usize, of: usize, all: usize| {
                (0..4)
                    .map(move |part| ((4 * n + part) * all + all / 2) / (4 * of))
                    .map(move |at| at.min(all - 1))
            };
            for row in places(y, h, from_h) {
                for column in places(x, w, from_w) {
                    let colour = shown.rgb(column, row);
                    sums.iter_mut().zip(colour).for_each(|(sum, part)| *sum += u32::from(part));
                }
            }
            let mean = |sum: u32| u8::try_from(sum / 16).unwrap_or(u8::MAX);
            pixel.iter_mut().zip(sums).for_each(|(byte, sum)| *byte = mean(sum));
        }
    }
    rgb
}
