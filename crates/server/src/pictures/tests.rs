//! What is made once, kept and forgotten; layouts and sizes. What pictures show is tested with the whole server.

use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use media::Packet;
use media::codec::{VideoCodec, VideoInfo};

use super::*;

fn jpeg(bytes: usize) -> Arc<Jpeg> {
    Arc::new(Jpeg { bytes: vec![7; bytes].into(), tag: format!("\"{bytes}\"") })
}

fn id(text: &str) -> RecordingId {
    text.parse().unwrap()
}

const A: &str = "00000000000000aa";
const B: &str = "00000000000000bb";

fn moment(id: RecordingId, at_ms: u64) -> Of {
    Of::Moment(id, at_ms, 160)
}

/// Asks for a picture that is made of so many bytes; counts how often it was.
async fn ask(pictures: &Arc<Pictures>, of: Of, bytes: usize, made: &Arc<AtomicUsize>) -> Outcome {
    let made = made.clone();
    let make = move || async move {
        made.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(jpeg(bytes))
    };
    pictures.picture(of, 10_000, |_| true, make).await
}

#[test]
fn what_is_kept_is_not_made_again_until_it_is_forgotten() {
    testkit::block_on(async {
        let (pictures, made) = (Arc::new(Pictures::default()), Arc::new(AtomicUsize::new(0)));
        let (a, b) = (moment(id(A), 0), moment(id(B), 0));
        let asked = tokio::join!(
            ask(&pictures, a.clone(), 100, &made),
            ask(&pictures, a.clone(), 100, &made),
            ask(&pictures, b.clone(), 100, &made),
        );
        assert!(asked.0.is_ok() && asked.1 == asked.0);
        assert_eq!(made.load(Ordering::Relaxed), 2);
        pictures.forget(id(A));
        let _ = ask(&pictures, b, 100, &made).await;
        assert_eq!(made.load(Ordering::Relaxed), 2);
        let _ = ask(&pictures, a, 100, &made).await;
        assert_eq!(made.load(Ordering::Relaxed), 3);
        assert_eq!((pictures.status().made, pictures.status().failed), (3, 0));
        // Both, and what an entry costs.
        assert!(pictures.status().cache_bytes > 200);
    });
}

#[test]
fn what_was_not_asked_for_for_longest_goes_first() {
    let mut cache = Cache::default();
    let of = |at_ms| moment(id(A), at_ms);
    for at_ms in 0..4 {
        cache.put(of(at_ms), Ok(jpeg(2_000)), 8_000);
        // The first is asked for all the time.
        assert!(cache.get(&of(0)).is_some());
    }
    assert!(cache.size_bytes() <= 8_000, "{}", cache.size_bytes());
    let there: Vec<_> = (0..4).filter(|at_ms| cache.get(&of(*at_ms)).is_some()).collect();
    assert_eq!(there, [0, 2, 3]);
    // One that has no room at all is not kept, and takes what it displaced with it.
    cache.put(of(9), Ok(jpeg(9_000)), 8_000);
    assert_eq!(cache.size_bytes(), 0);
}

#[test]
fn a_failure_is_remembered_for_a_while_and_a_fault_ends_its_job() {
    testkit::block_on(async {
        let (pictures, made) = (Arc::new(Pictures::default()), Arc::new(AtomicUsize::new(0)));
        let of = moment(id(A), 0);
        for _ in 0..2 {
            let made = made.clone();
            let make = move || async move {
                made.fetch_add(1, Ordering::Relaxed);
                Err(Failure::new(Code::NoPicture, "none"))
            };
            let failed = pictures.picture(of.clone(), 10_000, |_| true, make).await;
            assert_eq!(failed.unwrap_err().code, Code::NoPicture);
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        let make = || async { panic!("a fault that the test makes") };
        let failed = pictures.picture(moment(id(B), 0), 10_000, |_| true, make).await;
        assert_eq!(failed.unwrap_err().code, Code::Internal);
        // The place is free again.
        assert!(ask(&pictures, moment(id(B), 0), 1, &made).await.is_ok());
    });
}

#[test]
fn no_more_pictures_are_made_at_once_than_may_be() {
    testkit::block_on(async {
        let pictures = Arc::new(Pictures::default());
        for at_ms in 0..JOBS_MAX as u64 {
            let found = pictures.find(&moment(id(A), at_ms), |_| true);
            assert!(matches!(found, Ok(Found::New(..))));
        }
        let made = Arc::new(AtomicUsize::new(0));
        let refused = ask(&pictures, moment(id(B), 0), 1, &made).await;
        assert_eq!(refused.unwrap_err().code, Code::PicturesBusy);
    });
}

#[test]
fn a_sheet_has_a_tile_for_each_step_and_a_hundred_at_most() {
    let sheet = Sheet::new(25_000, 10_000, 160);
    assert_eq!(sheet.moments().collect::<Vec<_>>(), [0, 10_000, 20_000]);
    let blank = sheet.blank();
    assert_eq!((blank.width, blank.height, blank.rgb.len()), (480, 90, 480 * 90 * 3));
    let list = sheet.vtt("s.jpg");
    assert!(list.ends_with("00:00:20.000 --> 00:00:25.000\ns.jpg#xywh=320,0,160,90\n"), "{list}");
    for (length_ms, step_ms, tiles) in [
        (0, 10_000, 1),
        (1, 10_000, 1),
        (1_000_000, 10_000, 100),
        // One more would be too many: the steps are longer, by whole seconds.
        (1_000_001, 10_000, 91),
        (36_000_000, 10_000, 100),
        (4_233_600_000, 1, 100),
        (u64::MAX, 1_000, 100),
    ] {
        let sheet = Sheet::new(length_ms, step_ms, 160);
        let moments: Vec<_> = sheet.moments().collect();
        assert_eq!(moments.len(), tiles, "{length_ms}");
        assert!(*moments.last().unwrap() < length_ms.max(1));
        let size = if tiles == 1 { (160, 90) } else { (1_600, 900) };
        assert_eq!((sheet.blank().width, sheet.blank().height), size);
        assert_eq!(sheet.vtt("").matches("#xywh=").count(), tiles);
    }
    let list = Sheet::new(360_001_000, 1, 160).vtt("");
    assert!(list.contains(" --> 100:00:01.000"), "{list}");
}

#[test]
fn a_tile_is_put_where_it_belongs_and_nowhere_else() {
    let mut sheet = Picture::black(6, 4);
    let tile = Picture { width: 2, height: 2, rgb: vec![9; 12] };
    sheet.put(&tile, 4, 2);
    let row = |y: usize| &sheet.rgb[y * 18..(y + 1) * 18];
    assert!(row(0).iter().chain(row(1)).all(|byte| *byte == 0));
    for y in [2, 3] {
        assert_eq!((&row(y)[..12], &row(y)[12..]), (&[0; 12][..], &[9; 6][..]));
    }
    // What is outside is left out.
    sheet.put(&tile, 5, 3);
    sheet.put(&tile, 60, 40);
    assert_eq!(sheet.rgb.len(), 6 * 4 * 3);
}

#[test]
fn a_picture_is_as_large_as_is_wanted_but_not_larger_than_the_video() {
    let info = |width, height| {
        let mut info = VideoInfo::new(VideoCodec::Avc);
        (info.width, info.height) = (width, height);
        info
    };
    let size = |w, h, wanted| frame::size(Some(&info(w, h)), Wanted::Width(wanted));
    assert_eq!(size(1_920, 1_080, 640), (640, 360));
    assert_eq!(size(320, 180, 640), (320, 180));
    assert_eq!(size(1_080, 1_920, 640), (360, 640));
    assert_eq!(size(1_279, 717, 640), (640, 358));
    // Shapes that nobody has.
    assert_eq!(size(100_000, 1, 640), (640, 2));
    assert_eq!(size(1, 100_000, 640), (2, 2));
    assert_eq!(frame::size(None, Wanted::Width(640)), (640, 360));
    assert_eq!(frame::size(Some(&info(0, 0)), Wanted::Width(640)), (640, 360));
    assert_eq!(frame::size(Some(&info(9, 9)), Wanted::Box(160, 90)), (160, 90));
}

#[test]
fn other_arguments_do_not_call_the_decoder() {
    let called = |args: &[&str]| native::run(args.iter().map(Into::into)).is_some();
    assert!(!called(&["rtmp-server"]));
    assert!(!called(&["rtmp-server", "-listen", ":1935", "-record-all"]));
    assert!(!called(&["rtmp-server", native::ARGUMENT]));
    assert!(called(&["rtmp-server", native::ARGUMENT, "no", "size"]));
}

#[test]
fn a_jpeg_has_the_same_tag_only_for_the_same_bytes() {
    let mut picture = Picture::black(16, 16);
    let (first, again) = (picture.jpeg().unwrap(), picture.jpeg().unwrap());
    assert_eq!(first, again);
    assert!(first.bytes.starts_with(b"\xff\xd8\xff"));
    picture.rgb.fill(200);
    assert_ne!(picture.jpeg().unwrap().tag, first.tag);
    assert!(Picture { width: 0, height: 0, rgb: Vec::new() }.jpeg().is_err());
}

#[test]
fn the_newest_key_frame_of_a_stream_is_found_with_its_configuration() {
    let registry = live::Registry::new(live::Limits::default());
    let key = Key::new("live", "test").unwrap();
    let mut publisher = registry.publish(&key).unwrap();
    assert!(KeyFrame::of_stream(&publisher.stream()).is_none());
    let packet = |dts_ms, body: &'static [u8]| {
        Packet::new(media::Kind::Video, dts_ms, Bytes::from_static(body))
    };
    // A configuration, and two groups of pictures.
    let config = packet(0, b"\x17\0\0\0\0configuration");
    let first = packet(0, b"\x17\x01\0\0\0first");
    let newest = packet(40, b"\x17\x01\0\0\0newest");
    let frame = packet(80, b"\x27\x01\0\0\0frame");
    publisher.push(&mut vec![config.clone(), first, newest.clone(), frame]);
    let found = KeyFrame::of_stream(&publisher.stream()).unwrap();
    assert_eq!(found.size_bytes(), config.body.len() + newest.body.len());
    let flv = frame::flv(&[found.clone(), found]);
    let count = |body: &[u8]| flv.windows(body.len()).filter(|part| *part == body).count();
    // The configuration once, for it is the same.
    assert_eq!((count(&config.body), count(&newest.body)), (1, 2));
}
