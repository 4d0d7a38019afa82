//! What a change of the file means for a server that runs.

use super::*;

fn recorder(name: &str, more: &str) -> String {
    format!("[[recorder]]\nname = '{name}'\nstreams = ['{name}/*']\n{more}\n")
}

#[test]
fn recorders_and_what_they_take_from_the_server_apply_at_once() {
    let place = Place::new(&recorder("a", ""));
    let running = place.settings(&[], &[]);
    let more = "record-all = true\nrecord-flush = '2s'\nretain-age = '30d'\nlog-level = 'warn'\n\
                bin-grace = '1d'\npre-roll = '9s'\nrecord-path = '{app}/{timestamp}_{sequence}'\n";
    place.write(&(more.to_owned() + &recorder("b", "tracks = 'audio'")));
    let Reloaded { settings, needs_restart } = reload(&running).unwrap();
    assert!(needs_restart.is_empty(), "{needs_restart:?}");
    let names: Vec<_> = settings.recorders.iter().map(|recorder| &*recorder.name).collect();
    assert_eq!(names, ["all", "b"]);
    assert_eq!(settings.recorders[1].flush.as_secs(), 2);
    assert_eq!(settings.config.retain.retain_age.unwrap().as_secs(), 30 * 86_400);
    assert_eq!(settings.config.log_level, crate::LogLevel::Warn);
    assert_eq!(settings.config.pre_roll.as_secs(), 9);
}

#[test]
fn what_needs_a_restart_is_told_and_stays_as_it_is() {
    let place = Place::new("");
    let running = place.settings(&["-max-players", "5"], &[]);
    let text = "listen = ':7'\nrecord-dir = 'other'\nmax-players = 6\nmax-streams = 10_000\n\
                record-all = true\n";
    place.write(text);
    let Reloaded { settings, needs_restart } = reload(&running).unwrap();
    // A flag beats the file still, and what is the same is no change.
    assert_eq!(needs_restart, ["listen", "record-dir"]);
    assert_eq!(settings.config.listen, running.config.listen);
    assert_eq!(settings.config.max_players, 5);
    let plan = settings.recorders[0].plan(&settings.config);
    assert_eq!(plan.dir, Path::new("recordings"));
    assert_eq!(source(&settings, "listen"), (":1935".to_owned(), Source::Default));
    assert_eq!(source(&settings, "record-all"), ("true".to_owned(), Source::File(5)));
    // It is told again as long as it is so, and no more when it is taken back.
    assert_eq!(reload(&settings).unwrap().needs_restart, ["listen", "record-dir"]);
    place.write("");
    assert!(reload(&settings).unwrap().needs_restart.is_empty());
}

#[test]
fn a_bad_file_is_no_change() {
    let place = Place::new("record-all = true\n");
    let running = place.settings(&[], &[]);
    place.write("record-all = false\nlisten = 5\nbogus = 1\n[[recorder]]\nname = 'A'\n");
    let problems = reload(&running).expect_err("it is bad");
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(2), Some(3), Some(4), Some(5)], "{problems:?}");
    fs::remove_file(place.file()).unwrap();
    assert_eq!(reload(&running).expect_err("it is gone").len(), 1);
}

/// A recorder that is told the directory that will be the record directory after a restart goes
/// there now.
#[test]
fn a_recorder_keeps_its_directory_when_the_record_directory_waits_for_a_restart() {
    let place = Place::new("");
    let running = place.settings(&[], &[]);
    place.write(&format!("record-dir = '/b'\n{}", recorder("a", "dir = '/b'")));
    let Reloaded { settings, .. } = reload(&running).unwrap();
    assert_eq!(settings.recorders[0].plan(&settings.config).dir, Path::new("/b"));
    assert_eq!(settings.dirs(), [Path::new("/b")]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_read_at_the_start_alone() {
    let place = Place::new("record-all = true\n");
    let other = place.0.path().join("pipe");
    std::os::unix::fs::symlink("/dev/null", &other).unwrap();
    let args = ["rtmp-server".into(), "-config".into(), other.into()];
    let running = examine(args, []).unwrap();
    let problems = reload(&running).expect_err("it is no file");
    assert!(problems[0].to_string().contains("read only at the start"), "{problems:?}");
}

/// Nothing is forgotten: a flag is either told to need a restart or is known to apply at once.
#[test]
fn each_flag_applies_at_once_or_needs_a_restart() {
    let at_once = [
        "config",
        "api-token",
        "api-token-file",
        "record-all",
        "log-level",
        "record-flush",
        "record-sync",
        "record-format",
        "record-path",
        "record-rotate-duration",
        "record-rotate-size",
        "record-rotate-every",
        "record-rotate-schedule",
        "record-rejoin",
        "record-checksum-files",
        "pre-roll",
        "bin-grace",
        "pictures",
        "ffmpeg",
        "picture-width",
        "picture-interval",
        "thumbnail-width",
        "thumbnail-interval",
        "picture-cache",
        "record-min-free",
        "retain-age",
        "retain-size",
        "retain-free",
        "retain-copied",
    ];
    for flag in flags() {
        let name = flag.get_long().unwrap();
        let restart = RESTART.iter().any(|(fixed, ..)| *fixed == name);
        assert_ne!(at_once.contains(&name), restart, "{name}");
    }
    let page = include_str!("../../../../../../docs/ref/config.md");
    for (name, ..) in RESTART {
        assert!(page.contains(&format!("`{name}`")), "docs/ref/config.md: {name}");
    }
}

#[test]
fn each_setting_that_needs_a_restart_is_kept() {
    let place = Place::new("");
    let running = place.settings(&[], &[]);
    for (name, is_same, _) in RESTART {
        let value = match *name {
            "listen" | "http-listen" => "127.0.0.1:7",
            "record-dir" => "other",
            "log-format" => "json",
            name if name.ends_with("-timeout") || name == "play-hold" => "77s",
            _ => "77777",
        };
        place.write(&format!("{name} = '{value}'"));
        let Reloaded { settings, needs_restart } = reload(&running).unwrap();
        assert_eq!(needs_restart, [*name]);
        assert!(is_same(&settings.config, &running.config), "{name}");
        assert!(!is_same(&place.settings(&[], &[]).config, &running.config), "{name}");
    }
}
