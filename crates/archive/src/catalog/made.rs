//! Files and events of segments, for tests.

use std::path::{Path, PathBuf};

use media::amf0::{self, Value};
use media::flv::tag::{FILE_HEADER, TagHeader};

use super::unix_ms;
use crate::events::Finished;
use crate::ledger::seconds;
use crate::testing::about;
use crate::{About, Amount, Gap, GapReason, Hash, Ledger};

pub(crate) const START: &str = "2025-10-11T14:30:52.123+02:00";

/// The stream of all of them.
pub(crate) const KEY: &str = "kept/test";

/// [`START`] in ms since 1970.
pub(crate) fn start_ms() -> i64 {
    unix_ms(START).unwrap()
}

/// The identity of segment `number` of recording `recording`, which began so many hours later.
pub(crate) fn about_of(recording: u64, number: u32, hours: i64) -> About {
    let at = jiff::Timestamp::from_millisecond(start_ms() + hours * 3_600_000).unwrap();
    About {
        recording: format!("{recording:016x}").parse().unwrap(),
        segment: number,
        stream_key: KEY.to_owned(),
        start_time: at.to_string(),
        ..about()
    }
}

pub(crate) fn ledger() -> Ledger {
    let written = Amount { packets: 90, bytes: 9_000 };
    let dropped = Amount { packets: 10, bytes: 1_000 };
    let mut ledger = Ledger {
        received: written + dropped,
        written,
        dropped,
        late_packets: 3,
        repeated_packets: 2,
        skew_ms: -15,
        skew_max_ms: 40,
        ..Ledger::default()
    };
    ledger.add_gap(Gap { at_ms: 500, length_ms: 80, reason: GapReason::SlowDisk, dropped });
    ledger
}

/// A segment of an hour that is whole.
pub(crate) fn finished(path: PathBuf, about: &About) -> Finished {
    let end = unix_ms(&about.start_time).unwrap() + 3_600_000;
    let number = u8::try_from(about.segment % 256).unwrap();
    Finished {
        path,
        about: about.clone(),
        ledger: ledger(),
        size_bytes: 12_345,
        length_ms: 3_600_000,
        end_time: jiff::Timestamp::from_millisecond(end).unwrap().to_string(),
        hash: Hash([number; 32]),
        chain: Hash([255 - number; 32]),
    }
}

/// The bytes of a file of ours that lasts an hour.
pub(crate) fn bytes(about: &About, is_complete: bool) -> Vec<u8> {
    let mut properties = about.properties();
    properties.push(("complete".to_owned(), Value::Boolean(is_complete)));
    properties.push(("duration".to_owned(), seconds(3_600_000)));
    properties.extend(ledger().properties());
    with_metadata(&properties)
}

/// A file that begins with this metadata.
pub(crate) fn with_metadata(properties: &[(String, Value)]) -> Vec<u8> {
    let mut body = Vec::new();
    amf0::encode(&Value::from("onMetaData"), &mut body);
    amf0::encode(&Value::EcmaArray(properties.to_vec()), &mut body);
    let header = TagHeader::new(18, u32::try_from(body.len()).unwrap(), 0);
    let mut file = FILE_HEADER.to_vec();
    file.extend_from_slice(&header.encode());
    file.extend_from_slice(&body);
    file.extend_from_slice(&header.tag_size().to_be_bytes());
    file
}

/// Writes such a file below `dir`, with the folders on its way.
pub(crate) fn write(dir: &Path, name: &str, about: &About) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes(about, true)).unwrap();
    path
}
