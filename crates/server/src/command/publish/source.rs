//! Reads what is published: a file piece by piece, or the built-in clip.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use media::amf0::Limits;
use media::flv::scan::{Bodies, FaultKind, Item, Scanner};
use media::{Kind, Packet};
use rtmp::message::{self, message_type};

use crate::command::format;

/// The built-in clip: picture and sound, made for this project.
const DEMO: &[u8] = include_bytes!("../../../assets/demo.flv");
/// What stands for it on the command line.
const DEMO_NAME: &str = "demo";
/// Read at once.
const READ_BYTES: usize = 64 << 10;

/// Why the source cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("cannot open {path}: {source}{}", hint(path, source))]
    Open { path: String, source: io::Error },
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error(
        "{path} is not an FLV file; ffmpeg -i {path} -c copy OUT.flv makes one of most media files"
    )]
    NotFlv { path: String },
    #[error("{path} has no audio and no video")]
    Empty { path: String },
}

fn hint(path: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound if !path.contains(['.', '/']) => {
            "; did you mean demo, the built-in clip?"
        }
        _ => "",
    }
}

enum Input {
    Demo(&'static [u8]),
    File(File),
}

/// An FLV file from its first packet to its last, any number of times.
pub(super) struct Source {
    input: Input,
    /// `None` for the built-in clip.
    path: Option<PathBuf>,
    size_bytes: u64,
    /// Where the tag ends that was handed out last.
    position: u64,
    scanner: Scanner,
    buffer: Vec<u8>,
    /// Read to see whether there is one.
    first: Option<Packet>,
    fault_count: u64,
    is_first_pass: bool,
}

impl Source {
    /// Opens the file and reads as far as the first packet, so that what cannot be published is
    /// known before anything is.
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let (input, path) = match path.to_str() {
            Some(DEMO_NAME) => (Input::Demo(DEMO), None),
            _ => (Input::File(open(path)?), Some(path.to_owned())),
        };
        let size_bytes = match &input {
            Input::Demo(clip) => clip.len() as u64,
            Input::File(file) => file.metadata().map_or(0, |m| m.len()),
        };
        let mut source = Self {
            input,
            path,
            size_bytes,
            position: 0,
            scanner: Scanner::new(Bodies::Keep),
            buffer: vec![0; READ_BYTES],
            first: None,
            fault_count: 0,
            is_first_pass: true,
        };
        match source.next()? {
            Some(packet) => source.first = Some(packet),
            None => return Err(SourceError::Empty { path: source.to_string() }),
        }
        Ok(source)
    }

    /// The next packet with its time in the file; `None` at the end. What is broken is passed over
    /// and counted.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, SourceError> {
        if let Some(packet) = self.first.take() {
            return Ok(Some(packet));
        }
        let mut is_at_end = false;
        loop {
            while let Some(item) = self.scanner.poll() {
                match item {
                    Item::Tag(tag) => {
                        self.position = tag.offset + tag.size;
                        if let Some(packet) = as_sent(tag.packet) {
                            return Ok(Some(packet));
                        }
                    }
                    Item::Fault(fault) if fault.kind == FaultKind::Signature => {
                        return Err(SourceError::NotFlv { path: self.to_string() });
                    }
                    Item::Fault(_) => self.fault_count += u64::from(self.is_first_pass),
                    Item::Header(_) => {}
                }
            }
            if is_at_end {
                return Ok(None);
            }
            match self.read()? {
                0 => {
                    self.scanner.finish();
                    is_at_end = true;
                }
                n => self.scanner.push(self.buffer.get(..n).unwrap_or_default()),
            }
        }
    }

    /// Goes back to the first packet.
    pub(super) fn rewind(&mut self) -> Result<(), SourceError> {
        self.is_first_pass = false;
        self.scanner = Scanner::new(Bodies::Keep);
        let result = match &mut self.input {
            Input::Demo(rest) => {
                *rest = DEMO;
                Ok(())
            }
            Input::File(file) => file.rewind(),
        };
        result.map_err(|source| SourceError::Read { path: self.to_string(), source })
    }

    /// Size of the file when it was opened.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// How far into the file the last packet reaches.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How much was wrong in the first pass.
    pub(super) fn fault_count(&self) -> u64 {
        self.fault_count
    }

    fn read(&mut self) -> Result<usize, SourceError> {
        loop {
            let read = match &mut self.input {
                Input::Demo(rest) => rest.read(&mut self.buffer),
                Input::File(file) => file.read(&mut self.buffer),
            };
            match read {
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(SourceError::Read { path: self.to_string(), source });
                }
            }
        }
    }
}

/// Script data in AMF3 is sent in AMF0, which every server reads; what cannot be read is not sent.
fn as_sent(packet: Packet) -> Option<Packet> {
    if packet.kind != Kind::DataAmf3 {
        return Some(packet);
    }
    let body = message::data(message_type::DATA_AMF3, packet.body, &Limits::default())?;
    Some(Packet::new(Kind::Data, packet.dts_ms, body))
}

/// The path as it is shown.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => f.write_str(&format::path(path)),
            None => f.write_str("the built-in clip"),
        }
    }
}

fn open(path: &Path) -> Result<File, SourceError> {
    File::open(path).map_err(|source| SourceError::Open { path: format::path(path), source })
}

#[cfg(test)]
mod tests;
