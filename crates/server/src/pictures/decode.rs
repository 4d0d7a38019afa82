//! Decoding in another program: FFmpeg or, for H.264 where there is none, this one again ([`native`]).
//!
//! Either gets an FLV file of key frames, or FFmpeg IVF of VP8, on standard input and writes raw pictures of one size to standard
//! output. It runs at the lowest priority, has a time limit, and may write no more than those pictures are; what
//! breaks any of that is killed. So a frame that makes a decoder crash, hang or run wild costs its picture.
//!
//! [`native`]: super::native

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use media::codec::VideoCodec;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::frame::{flv, ivf, size};
use super::{Failure, KeyFrame, Picture, Wanted, native};
use crate::config::Ffmpeg;
use crate::http::Code;
use crate::{allocator, platform};

/// Longest that a program may take for [`FRAMES`], on a machine that is busy with other things.
const TIME: Duration = Duration::from_secs(10);
/// Frames of one call.
pub(crate) const FRAMES: usize = 10;
/// Bytes of what it complains that are kept.
const WORDS: usize = 2 << 10;
/// Pixels of the largest frame: 8K.
pub(super) const PIXELS: u64 = 8_192 * 4_352;

/// What decodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// FFmpeg: everything.
    Ffmpeg(PathBuf),
    /// This program: H.264.
    Native,
}

impl Program {
    /// The one that there is, by what the configuration says.
    pub(crate) fn find(asked: &Ffmpeg) -> Self {
        let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
        let in_path = || {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let mut places = std::env::split_paths(&path).map(|dir| dir.join(&name));
            places.find(|place| place.is_absolute() && place.is_file())
        };
        match asked {
            Ffmpeg::Off => Self::Native,
            Ffmpeg::Program(path) => Self::Ffmpeg(path.clone()),
            Ffmpeg::Auto => in_path().map_or(Self::Native, Self::Ffmpeg),
        }
    }

    /// What it is called in the API.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ffmpeg(_) => "ffmpeg",
            Self::Native => "native",
        }
    }

    /// Where it is, if it is another program.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Ffmpeg(path) => Some(path),
            Self::Native => None,
        }
    }

    fn command(&self, format: &str, (width, height): (u16, u16)) -> std::io::Result<Command> {
        let Self::Ffmpeg(path) = self else {
            let mut command = Command::new(platform::this_program()?);
            command.args([native::ARGUMENT, &width.to_string(), &height.to_string()]);
            return Ok(command);
        };
        let pixels = PIXELS.to_string();
        let fit = format!(
            "scale={width}:{height}:force_original_aspect_ratio=decrease,\
             pad={width}:{height}:(ow-iw)/2:(oh-ih)/2,setsar=1,setpts=N*100/TB"
        );
        // Pictures far apart, so that none is repeated to fill the time of another.
        let mut command = Command::new(path);
        command
            .args(["-nostdin", "-hide_banner", "-v", "error", "-max_alloc", "536870912"])
            .args(["-protocol_whitelist", "pipe", "-threads", "1", "-max_pixels", &pixels])
            .args(["-f", format, "-i", "pipe:0", "-map", "0:v:0", "-an", "-sn", "-dn"])
            .args(["-filter_threads", "1", "-vf", &fit, "-r", "1/100", "-threads", "1"])
            .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        Ok(command)
    }
}

/// Decodes frames, all into one size. Those that cannot be are `None`.
///
/// # Errors
/// When there is no program for them, or it cannot be started, hangs or writes something else.
pub(super) async fn all(
    program: &Program,
    frames: &[KeyFrame],
    wanted: Wanted,
) -> Result<Vec<Option<Picture>>, Failure> {
    let size = size(frames.first().and_then(KeyFrame::info), wanted);
    let of_native =
        |frame: &KeyFrame| frame.info().is_some_and(|info| info.codec == VideoCodec::Avc);
    if *program == Program::Native && !frames.iter().all(of_native) {
        let codec = frames.iter().filter_map(KeyFrame::info).find(|i| i.codec != VideoCodec::Avc);
        let codec = codec.map_or_else(|| "this codec".to_owned(), |info| info.codec.to_string());
        let detail =
            format!("{codec} needs FFmpeg, which was not found or is switched off (-ffmpeg)");
        return Err(Failure::new(Code::NoDecoder, detail));
    }
    let mut pictures = Vec::new();
    for frames in frames.chunks(FRAMES) {
        match run(program, frames, size).await {
            Ok(decoded) if decoded.len() == frames.len() => {
                pictures.extend(decoded.into_iter().map(Some));
            }
            Err(Fault::OfProgram(failure)) => return Err(failure),
            Err(Fault::OfFrames(failure)) if frames.len() == 1 => return Err(failure),
            // One of them is at fault: which one is found out by one call each.
            _ => {
                for frame in frames {
                    match run(program, std::slice::from_ref(frame), size).await {
                        Ok(mut decoded) => pictures.push(decoded.pop()),
                        Err(Fault::OfFrames(_)) => pictures.push(None),
                        Err(Fault::OfProgram(failure)) => return Err(failure),
                    }
                }
            }
        }
    }
    Ok(pictures)
}

/// Why there are no pictures.
enum Fault {
    /// It cannot be started, hangs or runs wild: with other frames it would as well.
    OfProgram(Failure),
    /// It took some time and gave none.
    OfFrames(Failure),
}

/// Runs the program once.
async fn run(
    program: &Program,
    frames: &[KeyFrame],
    size: (u16, u16),
) -> Result<Vec<Picture>, Fault> {
    let name = program.path().map_or_else(|| "the decoder".to_owned(), |p| p.display().to_string());
    let fault = |code, why: &str| Failure::new(code, format!("{name}: {why}"));
    let failed = |why: &str| Fault::OfProgram(fault(Code::DecoderFailed, why));
    let none = |why: &str| Fault::OfFrames(fault(Code::PictureFailed, why));
    let ivf = ivf(frames).map(|ivf| ("ivf", ivf));
    let (format, input) = ivf.unwrap_or_else(|| ("flv", flv(frames)));
    let mut command = program.command(format, size).map_err(|error| failed(&error.to_string()))?;
    // The server's secrets are none of its business.
    for (variable, _) in std::env::vars_os().filter(is_ours) {
        command.env_remove(variable);
    }
    allocator::leave_alone(command.as_std_mut());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    platform::be_idle(command.as_std_mut());
    let mut child =
        command.spawn().map_err(|error| failed(&format!("cannot be started: {error}")))?;
    if let Some(pid) = child.id() {
        platform::make_idle(pid);
    }
    let picture_bytes = usize::from(size.0) * usize::from(size.1) * 3;
    let most = picture_bytes * frames.len();
    let talk = converse(&mut child, input, most);
    let spoken = tokio::time::timeout(TIME, talk).await;
    // Whatever it did, it is gone when this returns.
    let _ = child.start_kill();
    let status = tokio::time::timeout(TIME, child.wait()).await;
    let (pixels, words) = match spoken {
        Ok(Ok(spoken)) => spoken,
        Ok(Err(error)) => return Err(failed(&error.to_string())),
        Err(_) => return Err(failed(&format!("no answer in {} s", TIME.as_secs()))),
    };
    let ended = matches!(status, Ok(Ok(_)));
    match pixels.len() {
        n if n > most => Err(failed("it writes more than was asked for")),
        0 if !words.is_empty() => Err(none(&words)),
        n if !ended || n == 0 || n % picture_bytes > 0 => Err(none("it gives no picture")),
        _ => {
            let picture = |rgb: &[u8]| Picture { width: size.0, height: size.1, rgb: rgb.to_vec() };
            Ok(pixels.chunks_exact(picture_bytes).map(picture).collect())
        }
    }
}

fn is_ours((name, _): &(OsString, OsString)) -> bool {
    name.to_string_lossy().starts_with("RTMP_SERVER_")
}

/// Feeds a program, and returns what it answers, up to one byte more than `most`, and what it complains.
async fn converse(
    child: &mut Child,
    input: Vec<u8>,
    most: usize,
) -> std::io::Result<(Vec<u8>, String)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // One that has seen enough closes it.
            let _ = stdin.write_all(&input).await;
        }
    };
    let words = async {
        match stderr {
            Some(stderr) => complaint(stderr).await,
            None => String::new(),
        }
    };
    let read = async {
        let mut pixels = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(most as u64 + 1).read_to_end(&mut pixels).await?;
        }
        Ok::<_, std::io::Error>(pixels)
    };
    let rest = async { tokio::join!(feed, words).1 };
    let mut rest = std::pin::pin!(rest);
    let mut read = std::pin::pin!(read);
    tokio::select! {
        pixels = &mut read => {
            let pixels = pixels?;
            if pixels.len() > most {
                return Ok((pixels, String::new()));
            }
            Ok((pixels, rest.await))
        }
        words = &mut rest => Ok((read.await?, words)),
    }
}

/// The first line of what it complains, without what could harm a log.
async fn complaint(mut stderr: impl AsyncRead + Unpin) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1_024]);
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let room = WORDS.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&kept);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}
