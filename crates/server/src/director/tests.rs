use std::path::Path;

use archive::{Observer, SystemClock, SystemDisk};
use jiff::civil::date;
use jiff::tz::TimeZone;
use live::{Limits, Publisher, Registry};
use tempfile::TempDir;

use super::*;
use crate::config;

/// A director with an archive of its own, and streams that nobody needs a network for.
struct Stage {
    dir: TempDir,
    registry: Registry,
    archive: Arc<Archive>,
    director: Arc<Director>,
    /// How recordings that are asked for are kept.
    plan: Arc<Plan>,
}

/// A stream that is published.
struct Live {
    publisher: Publisher,
    _published: Published,
}

impl Stage {
    /// With these recorders, as the configuration file has them.
    fn new(file: &str) -> Self {
        Self::with_room(file, archive::Config::default().max_recordings)
    }

    /// Where no more than so many can be recorded at once.
    fn with_room(file: &str, max_recordings: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path(), file);
        let config = archive::Config {
            record_dir: dir.path().join("recordings"),
            rejoin: settings.config.record_rejoin,
            max_recordings,
            ..archive::Config::default()
        };
        let (disk, clock) = (Arc::new(SystemDisk), Arc::new(SystemClock));
        let archive = Arc::new(Archive::open(config, disk, clock, Observer::default()));
        let director = Arc::new(Director::new(archive.clone(), &settings));
        let registry = Registry::new(Limits::default());
        let plan = Arc::new(Recorder::api(&settings.config).plan(&settings.config));
        Self { dir, registry, archive, director, plan }
    }

    fn configure(&self, file: &str) {
        self.director.configure(&settings(self.dir.path(), file), &noon());
    }

    fn publish(&self, key: &str) -> Live {
        let publisher = self.registry.publish(&named(key)).unwrap();
        let published = self.director.published(publisher.stream(), &noon());
        Live { publisher, _published: published }
    }

    /// Stops all that runs, and waits until nothing does.
    fn stop_all(&self) {
        self.archive.list().iter().for_each(|status| _ = self.archive.stop(status.id));
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while !self.archive.list().is_empty() {
            assert!(std::time::Instant::now() < deadline, "{:?}", self.archive.list());
            std::thread::yield_now();
        }
    }

    /// The recorders at work, with the streams that they record.
    fn at_work(&self) -> Vec<String> {
        let show = |status: &Status| format!("{} {}", status.plan.recorder, status.key);
        let list = self.archive.list();
        let mut at_work: Vec<_> =
            list.iter().filter(|status| status.ending.is_none()).map(show).collect();
        at_work.sort();
        at_work
    }

    fn wanted(&self, key: &str, request_key: Option<&str>) -> Wanted {
        Wanted {
            key: named(key),
            plan: self.plan.clone(),
            name: None,
            labels: BTreeMap::new(),
            pre_roll_ms: 0,
            request_key: request_key.map(ToOwned::to_owned),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.archive.close(Duration::from_secs(20));
    }
}

fn named(key: &str) -> Key {
    Key::new("", key).unwrap()
}

fn settings(dir: &Path, file: &str) -> Settings {
    let path = dir.join("rtmp-server.toml");
    std::fs::write(&path, file).unwrap();
    let args = ["rtmp-server", "-record-rejoin", "20s", "-config"].map(Into::into);
    let args = args.into_iter().chain([path.into(), "-record-dir".into(), dir.join("r").into()]);
    config::load(args, []).unwrap()
}

/// A Wednesday.
fn noon() -> Zoned {
    date(2026, 11, 25).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap()
}

#[test]
fn a_stream_is_recorded_by_every_recorder_that_wants_it() {
    let stage = Stage::new(
        "[[recorder]]\nname = 'cams'\nstreams = ['cam/*']\nexclude = ['cam/9']\n\
         [[recorder]]\nname = 'everything'\nstreams = ['**']\n\
         [[recorder]]\nname = 'off'\nstreams = ['**']\nenabled = false\n",
    );
    let _one = stage.publish("cam/1");
    let _nine = stage.publish("cam/9");
    assert_eq!(stage.at_work(), ["cams cam/1", "everything cam/1", "everything cam/9"]);
}

#[test]
fn one_that_was_stopped_begins_again_with_the_next_run_only() {
    let stage = Stage::new("[[recorder]]\nname = 'all-cams'\nstreams = ['cam/*']\n");
    let live = stage.publish("cam/1");
    let id = stage.archive.list().first().unwrap().id;
    assert!(stage.archive.stop(id));
    stage.director.look(&noon());
    assert_eq!(stage.at_work(), [""; 0]);
    drop(live);
    let _live = stage.publish("cam/1");
    assert_eq!(stage.at_work(), ["all-cams cam/1"]);
}

#[test]
fn a_schedule_begins_and_ends_recordings_of_a_stream_that_runs() {
    let stage = Stage::new(
        "[[recorder]]\nname = 'nights'\nstreams = ['**']\nschedule = ['daily 20:00-22:00 UTC']\n",
    );
    let _live = stage.publish("live/show");
    assert_eq!(stage.at_work(), [""; 0], "at noon");
    let next = stage.director.look(&noon()).unwrap();
    assert_eq!(next, noon().with().hour(20).build().unwrap());
    stage.director.look(&next);
    assert_eq!(stage.at_work(), ["nights live/show"]);
    let end = stage.director.look(&next).unwrap();
    assert_eq!(end, noon().with().hour(22).build().unwrap());
    stage.director.look(&end);
    assert_eq!(stage.at_work(), [""; 0]);
    // Stopped within a window it stays so; the next window is another matter.
    let tomorrow = next.tomorrow().unwrap();
    stage.director.look(&tomorrow);
    assert_eq!(stage.at_work(), ["nights live/show"]);
}

#[test]
fn a_new_configuration_applies_to_streams_that_run() {
    let cams = "[[recorder]]\nname = 'cams'\nstreams = ['cam/*']\n";
    let stage = Stage::new(cams);
    let _live = stage.publish("cam/1");
    let id = stage.archive.list().first().unwrap().id;
    stage.configure(&format!("{cams}path = '{{recorder}}/{{stream_key}}_{{timestamp}}'\n"));
    let list = stage.archive.list();
    let [status] = list.as_slice() else { panic!("{list:?}") };
    assert_eq!(status.id, id, "it is the same recording");
    assert!(status.plan.template.to_string().starts_with("{recorder}"), "{:?}", status.plan);
    stage.configure("[[recorder]]\nname = 'late'\nstreams = ['cam/*']\n");
    assert_eq!(stage.at_work(), ["late cam/1"]);
    stage.configure("");
    assert_eq!(stage.at_work(), [""; 0]);
}

#[test]
fn a_recording_that_was_asked_for_waits_for_its_stream_and_goes_on_after_a_reconnect() {
    let stage = Stage::new("");
    let answer = stage.director.request(stage.wanted("live/a", None)).unwrap();
    assert!(answer.is_new);
    assert!(stage.director.waits(answer.id).is_some());
    let live = stage.publish("live/a");
    assert!(stage.director.waits(answer.id).is_none());
    let is_it = |status: &Status| status.id == answer.id && status.plan.recorder == Recorder::API;
    assert!(stage.archive.list().iter().any(is_it));
    drop(live);
    let live = stage.publish("live/a");
    let list = stage.archive.list();
    assert_eq!(list.len(), 1, "{list:?}");
    assert!(list.iter().all(is_it));
    // A rule that begins to apply does not touch it, nor does one that ends.
    stage.configure("[[recorder]]\nname = 'more'\nstreams = ['**']\n");
    stage.configure("");
    assert_eq!(stage.at_work(), ["api live/a"]);
    drop(live.publisher);
}

#[test]
fn what_could_not_begin_with_its_stream_begins_as_soon_as_it_can() {
    let stage = Stage::with_room("[[recorder]]\nname = 'cams'\nstreams = ['cam/*']\n", 1);
    let asked = stage.director.request(stage.wanted("live/a", None)).unwrap();
    let _lives = ["cam/1", "cam/2", "live/a"].map(|key| stage.publish(key));
    stage.director.look(&noon());
    assert_eq!(stage.at_work(), ["cams cam/1"]);
    assert_eq!(stage.archive.counters().errors, 2, "each is told once");
    assert!(stage.director.waits(asked.id).is_some(), "it is not forgotten");
    for next in ["cams cam/2", "api live/a"] {
        stage.stop_all();
        stage.director.look(&noon());
        assert_eq!(stage.at_work(), [next]);
    }
    assert!(stage.archive.status(asked.id).is_some() && stage.director.waits(asked.id).is_none());
    // It is over in this run, as any other.
    stage.stop_all();
    stage.director.look(&noon());
    assert_eq!(stage.at_work(), [""; 0]);
}

#[test]
fn the_same_request_begins_one_recording() {
    let stage = Stage::new("");
    let _live = stage.publish("live/a");
    let first = stage.director.request(stage.wanted("live/a", Some("k"))).unwrap();
    let again = stage.director.request(stage.wanted("live/a", Some("k"))).unwrap();
    assert_eq!((again.id, again.is_new), (first.id, false));
    let other = stage.director.request(stage.wanted("live/b", Some("k"))).unwrap_err();
    assert!(matches!(other, RequestError::KeyReused(id) if id == first.id), "{other}");
    assert_eq!(stage.archive.list().len(), 1);
}

#[test]
fn requests_that_wait_are_bounded_and_can_be_taken_back() {
    let stage = Stage::new("");
    let ids: Vec<_> = (0..WAITING_MAX)
        .map(|i| stage.director.request(stage.wanted(&format!("live/{i}"), None)).unwrap().id)
        .collect();
    let refused = stage.director.request(stage.wanted("live/more", None)).unwrap_err();
    assert!(matches!(refused, RequestError::TooManyWaiting), "{refused}");
    assert!(stage.director.cancel(ids[7]).is_some());
    assert!(stage.director.cancel(ids[7]).is_none());
    assert!(stage.director.request(stage.wanted("live/more", None)).is_ok());
    assert_eq!(stage.director.waiting().len(), WAITING_MAX);
}

#[test]
fn keys_of_old_requests_are_forgotten() {
    let mut answered = Answered::default();
    let stage = Stage::new("");
    let id = stage.archive.new_id(&named("live/a"));
    let wanted = stage.wanted("live/a", None);
    for i in 0..=KEYS_MAX {
        let request_key = Some(i.to_string());
        answered.note(Wanted { request_key, ..wanted.clone() }, id);
    }
    assert_eq!((answered.by_key.len(), answered.order.len()), (KEYS_MAX, KEYS_MAX));
    assert!(!answered.by_key.contains_key("0"));
}
