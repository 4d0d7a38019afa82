//! `cargo xtask demo-clip`: the clip in the binary, made of FFmpeg's own sources and nothing else.
//!
//! It lasts 8 s because that is the shortest time near ten that is whole in everything: four
//! groups of pictures of 2 s, 200 pictures at 25 a second, and 375 AAC frames of 1024 samples at
//! 48 kHz. So it loops without a hole when its times are moved on by 8 s. H.264 has two B-frames
//! between references, so that composition times are exercised. The beep, the flash and the dot
//! at its mark come together at each second.

use std::path::Path;

use crate::run::{Result, Workspace, command, output, run};

/// Where the clip is, from the root.
const CLIP: &str = "crates/server/assets/demo.flv";

/// What the clip may weigh in the binary.
const SIZE_MAX_BYTES: u64 = 320 * 1024;

const PICTURES: &str = "200";
const AUDIO_FRAMES: &str = "375";

/// Samples that go into the encoder: it adds a frame of priming in front, which makes 375.
const AUDIO_SAMPLES: u32 = 374 * 1024;

/// How far the sound is moved so that its first packet has the time of the first picture's
/// decoding: one picture (1920 samples) before the first picture is shown, less the priming
/// (1024 samples). The tone is made later by as much, so it is heard with its picture.
const AUDIO_SHIFT_SAMPLES: u32 = 1920 - 1024;

/// Makes the clip anew. The same FFmpeg makes the same bytes.
///
/// # Errors
///
/// When FFmpeg fails, or the clip is too large or not what the loop needs.
pub(crate) fn make(workspace: &Workspace) -> Result<()> {
    let fresh = workspace.target.join("demo.flv");
    run(command("ffmpeg").args(arguments()).arg(&fresh))?;
    for (kind, wanted) in [("v:0", PICTURES), ("a:0", AUDIO_FRAMES)] {
        let count = packets(&fresh, kind)?;
        if count != wanted {
            return Err(format!("{count} packets in stream {kind}, wanted {wanted}"));
        }
    }
    let clip = workspace.root.join(CLIP);
    let failed = |error| format!("cannot write {}: {error}", clip.display());
    let size_bytes = std::fs::metadata(&fresh).map_err(failed)?.len();
    if size_bytes > SIZE_MAX_BYTES {
        return Err(format!("{size_bytes} bytes, more than {SIZE_MAX_BYTES}"));
    }
    std::fs::copy(&fresh, &clip).map_err(failed)?;
    println!("{CLIP}: {size_bytes} bytes");
    Ok(())
}

fn packets(path: &Path, stream: &str) -> Result<String> {
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-count_packets", "-select_streams", stream]);
    ffprobe.args(["-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"]);
    Ok(output(ffprobe.arg(path))?.trim().to_owned())
}

fn arguments() -> Vec<String> {
    let sources = [
        "gradients=s=640x360:r=25:d=8:n=2:c0=0x0f172a:c1=0x1e3a5f:x0=0:y0=0:x1=640:y1=360:seed=1\
         :speed=0.00001"
            .to_owned(),
        "color=c=black:s=220x220:r=25:d=8".to_owned(),
        "color=c=black:s=20x20:r=25:d=8".to_owned(),
        "smptehdbars=s=640x360:r=25:d=8,crop=640:8:0:0".to_owned(),
        sound(),
    ];
    let mut arguments = words("-hide_banner -loglevel error -nostdin -y");
    for source in sources {
        arguments.extend(["-f".into(), "lavfi".into(), "-i".into(), source]);
    }
    let audio =
        format!("[4:a]atrim=end_sample={AUDIO_SAMPLES},asetpts=PTS-{AUDIO_SHIFT_SAMPLES}[audio]");
    arguments.extend(["-filter_complex".into(), format!("{};{audio}", picture())]);
    arguments.extend(words(
        "-map [video] -map [audio] -map_metadata -1 \
         -c:v libx264 -profile:v main -preset veryslow -crf 23 -g 50 -keyint_min 50 \
         -sc_threshold 0 -bf 2 \
         -x264-params b-pyramid=none:b-adapt=0:threads=1:lookahead-threads=1 \
         -color_primaries bt709 -color_trc bt709 -colorspace bt709 \
         -c:a aac -b:a 64k -ar 48000 -ac 2 \
         -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -f flv",
    ));
    arguments
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// A beep at each second, higher at the first, over a soft chord that fades at each second: there
/// is silence where the loop closes.
fn sound() -> String {
    let time = format!("(t-{AUDIO_SHIFT_SAMPLES}/48000+8)");
    let channel = |second_tone_hz: u32| {
        format!(
            "st(0,mod({time},1));st(1,mod(floor({time}),8));\
             0.35*sin(2*PI*if(eq(ld(1),0),1320,880)*ld(0))\
             *if(lt(ld(0),0.12),pow(cos(PI*ld(0)/0.24),2)*min(1,ld(0)/0.004),0)\
             +0.05*(sin(2*PI*220*ld(0))+sin(2*PI*{second_tone_hz}*ld(0)))*pow(sin(PI*ld(0)),2)"
        )
    };
    // A comma and a semicolon would end the source.
    let channels = format!("{}|{}", channel(330), channel(277));
    let channels = channels.replace(',', "\\,").replace(';', "\\;");
    format!("aevalsrc={channels}:s=48000:d=8:c=stereo")
}

/// A ring that fills in 8 s around a counter, a disc that flashes at each second, a dot that
/// passes its mark at each second, colour bars, and what this is.
fn picture() -> String {
    let ring = "geq=r=56:g=189:b=248:a='st(0,hypot(X-110,Y-110));\
                st(1,8*mod(atan2(X-110,110-Y)+2*PI,2*PI)/(2*PI));\
                clip(102-ld(0),0,1)*clip(ld(0)-88,0,1)\
                *gt(mod(ld(1),1),0.05)*lt(mod(ld(1),1),0.95)*if(lte(ld(1),T+0.02),255,46)'";
    let disc = "geq=r=255:g=255:b=255:\
                a='255*clip(80-hypot(X-110,Y-110),0,1)*max(0,1-4*mod(T,1))'";
    let dot = "geq=r=250:g=204:b=21:a='255*clip(9-hypot(X-10,Y-10),0,1)'";
    let text = |what: &str, size: u32, colour: &str, place: &str| {
        format!(
            "drawtext=font='DejaVu Sans':text={what}:fontsize={size}:fontcolor={colour}:{place}"
        )
    };
    let dim = "0x94a3b8";
    let bright = "0xf8fafc";
    let texts = [
        text("'%{eif\\:t\\:d}'", 84, bright, "borderw=3:bordercolor=0x0f172a:x=320-tw/2:y=108"),
        text("rtmp-server", 26, bright, "x=24:y=20"),
        text("'demo clip'", 15, dim, "x=25:y=52"),
        text("'%{pts\\:hms}'", 17, bright, "x=640-tw-24:y=24"),
        text("'640x360  25 fps'", 13, dim, "x=640-tw-24:y=50"),
        text("'H.264 + AAC'", 13, dim, "x=640-tw-24:y=68"),
        text(
            "'the beep, the flash and the dot at the mark come together'",
            14,
            dim,
            "x=320-tw/2:y=316",
        ),
    ];
    format!(
        "[0:v]drawbox=x=40:y=296:w=560:h=2:c=0x475569:t=fill,\
         drawbox=x=319:y=286:w=2:h=22:c={dim}:t=fill[ground];\
         [1:v]format=rgba,{ring}[ring];[1:v]format=rgba,{disc}[disc];[2:v]format=rgba,{dot}[dot];\
         [3:v]scale=640:16:flags=neighbor[bars];\
         [ground][bars]overlay=0:344[a];[a][disc]overlay=210:30[b];[b][ring]overlay=210:30[c];\
         [c][dot]overlay=x='310-270*sin(PI*t)':y=287[d];\
         [d]{},format=yuv420p[video]",
        texts.join(",")
    )
}
