use media::Header;
use media::flv::sized::Opening;

use super::*;

fn opening(gaps: bool) -> Vec<u8> {
    let seconds = |list: &[f64]| Value::StrictArray(list.iter().map(|s| (*s).into()).collect());
    let mut properties = vec![
        ("streamKey".to_owned(), Value::from("live/test")),
        ("recordings".to_owned(), Value::from("8c1f4e2a90b7d635, 9b1f0c52a3d4e677")),
        ("startTime".to_owned(), Value::from("2026-11-29T20:00:00.000+01:00")),
        ("endTime".to_owned(), Value::from("2026-11-29T21:00:00.000+01:00")),
        ("duration".to_owned(), 3_600.0.into()),
        ("gaps".to_owned(), if gaps { 3.0 } else { 0.0 }.into()),
    ];
    if gaps {
        properties.extend([
            ("gapTimes".to_owned(), seconds(&[12.0, 60.5])),
            ("gapDurations".to_owned(), seconds(&[0.16, 5.0])),
            ("gapReasons".to_owned(), Value::from("slow disk, not recorded")),
        ]);
    }
    let (has_audio, has_video, key_frames, media_bytes) = (true, true, Vec::new(), 1_000);
    let header = Header::default();
    Opening { has_audio, has_video, properties, key_frames, header, media_bytes }.encode()
}

#[test]
fn a_file_says_what_it_is_and_what_it_lacks() {
    let mut report = Report::default();
    let bytes = opening(true);
    // However it comes.
    bytes.chunks(7).for_each(|piece| report.see(piece));
    report.see(&vec![0; 2 << 20]);
    assert!(report.head.len() <= HEAD_BYTES);
    let (from, to) = ("2026-11-29T20:00:00+01:00", "2026-11-29T21:00:00+01:00");
    let expected = format!(
        "x.flv: 1:00:00, 2.1 MB, {} to {}\n  lacks  at 12.00 s, 0.16 s: slow disk\n  lacks  at \
         1:00, 5.00 s: not recorded\n  lacks  and 1 more\n",
        when::local(from),
        when::local(to)
    );
    assert_eq!(report.text(Some("x.flv".as_ref())), expected);
    let json = report.json(Some("x.flv".as_ref()));
    assert_eq!(
        json["gaps"][1],
        json!({"at_ms": 60_500, "length_ms": 5_000, "cause": "not recorded"})
    );
    assert_eq!(json["recordings"], json!(["8c1f4e2a90b7d635", "9b1f0c52a3d4e677"]));
    assert_eq!((&json["gaps_total"], &json["length_ms"]), (&json!(3), &json!(3_600_000)));
}

#[test]
fn a_whole_file_lacks_nothing_and_an_unknown_one_says_its_size() {
    let mut report = Report::default();
    report.see(&opening(false));
    assert_eq!(report.text(None).lines().count(), 1);
    let mut other = Report::default();
    other.see(b"no FLV");
    assert_eq!(other.text(None), "exported: 0.00 s, 6 B\n");
}
