use super::*;

const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv");

fn remux(input: &Path, output: &Path) -> Result<ExitCode, String> {
    let (input, output) = (input.to_owned(), output.to_owned());
    Remux { input, output, json: true }.run().map_err(|error| error.to_string())
}

/// The packets of a file, with their times, and its faults.
fn packets(path: &Path) -> Vec<(Kind, u32, bytes::Bytes)> {
    let mut packets = Vec::new();
    let bar = ProgressBar::hidden();
    let done = read(&mut File::open(path).unwrap(), &bar, |tag| {
        packets.push((tag.packet.kind, tag.header.timestamp_ms, tag.packet.body.clone()));
        Ok(true)
    });
    assert!(done.is_ok());
    packets
}

#[test]
fn there_and_back_again_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (mp4, flv) = (dir.path().join("x.mp4"), dir.path().join("x.flv"));
    // With script data in AMF3 in it, as other programs write that.
    let amf3 = b"\x0f\0\0\x0c\0\0\0\0\0\0\0\0\x02\0\x06onText\x11\x01\0\0\0\x17";
    let bytes = fs::read(CLIP).unwrap();
    let size = u32::from_be_bytes([0, bytes[14], bytes[15], bytes[16]]);
    let (own, media) = bytes.split_at(13 + 15 + usize::try_from(size).unwrap());
    let input = dir.path().join("in.flv");
    fs::write(&input, [own, amf3, media].concat()).unwrap();
    assert!(remux(&input, &mp4).is_ok());
    assert!(remux(&mp4, &flv).is_ok());
    let clip = packets(&input);
    assert!(clip.len() > 100 && clip[0].0 == Kind::DataAmf3);
    assert_eq!(packets(&mp4), clip);
    assert_eq!(packets(&flv), clip);
    let bytes = fs::read(&mp4).unwrap();
    assert!(bytes.windows(4).any(|name| name == b"stss"), "an index");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else is left");
}

#[test]
fn messages_that_no_player_of_mp4_can_read_are_told_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (input, mp4) = (dir.path().join("in.flv"), dir.path().join("x.mp4"));
    let cut = b"\x09\0\0\x01\0\x23\x28\0\0\0\0\xA7\0\0\0\x0C";
    fs::write(&input, [&fs::read(CLIP).unwrap()[..], cut].concat()).unwrap();
    let made = |output: &Path, to| {
        let remux = Remux { input: input.clone(), output: output.to_owned(), json: true };
        remux.make(to, &File::create(output).unwrap()).ok().unwrap().hidden
    };
    let told = "1 message with a head that cannot be read (the first: the message ends inside its modifier size)";
    assert_eq!(made(&mp4, Format::Mp4), [told]);
    assert_eq!(packets(&mp4), packets(&input));
    assert_eq!(made(&dir.path().join("x.flv"), Format::Flv), [""; 0], "FLV has a word for it");
}

#[test]
fn nothing_is_overwritten_and_what_cannot_be_made_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there.mp4");
    fs::write(&there, "precious").unwrap();
    let error = remux(Path::new(CLIP), &there).unwrap_err();
    assert!(error.ends_with("exists already and is not overwritten"), "{error}");
    assert_eq!(fs::read(&there).unwrap(), b"precious");

    let other = dir.path().join("x.mkv");
    assert_eq!(
        remux(Path::new(CLIP), &other).unwrap_err(),
        "OUT is to be called NAME.mp4 or NAME.flv"
    );
    let new = dir.path().join("new.flv");
    let error = remux(&there, &new).unwrap_err();
    assert!(error.contains("neither FLV nor an MP4 recording"), "{error}");
    let torn = dir.path().join("torn.flv");
    let clip = fs::read(CLIP).unwrap();
    fs::write(&torn, &clip[..clip.len() - 9]).unwrap();
    let error = remux(&torn, &dir.path().join("torn.mp4")).unwrap_err();
    assert!(error.contains("cut off") && error.ends_with("repair it first"), "{error}");
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["there.mp4", "torn.flv"]);
}

#[test]
fn what_cannot_be_read_is_called_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (made, bytes) = (dir.path().join("made.mp4"), |path: &Path| fs::read(path).unwrap());
    assert!(remux(Path::new(CLIP), &made).is_ok());
    let torn = bytes(&made);
    let others = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov".to_vec();
    let cases = [
        (br#"{"a": "JSON file, for one"}"#.to_vec(), "neither FLV nor an MP4 recording"),
        (others, "an MP4 file that no rtmp-server recorded; ffmpeg "),
        (torn[..torn.len() - 9].to_vec(), "the file ends inside its index at byte "),
    ];
    let (input, output) = (dir.path().join("in"), dir.path().join("out.flv"));
    for (bytes, told) in cases {
        fs::write(&input, bytes).unwrap();
        let error = remux(&input, &output).unwrap_err();
        assert!(error.starts_with(input.to_str().unwrap()) && error.contains(told), "{error}");
    }
    let writer = File::options().append(true).open(&made).unwrap();
    writer.lock().unwrap();
    let error = remux(&made, &output).unwrap_err();
    assert!(error.contains(" is being written: wait until it is finished, or "), "{error}");
    drop(writer);
    assert!(remux(&made, &output).is_ok());
}
