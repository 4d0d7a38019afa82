use std::path::{Component, Path};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::path::CANDIDATES;

const START: &str = "2025-10-11T14:30:52.123456789+02:00[Europe/Berlin]";
const END: &str = "2025-10-12T00:01:02.5+02:00[Europe/Berlin]";
const RECORDING: &str = "00c0ffee00c0ffee";

fn candidate(template: &str, stream_key: &str, end: Option<&Zoned>, number: u32) -> String {
    let start = START.parse().unwrap();
    let facts = Facts {
        stream_key,
        start: &start,
        end,
        sequence: 7,
        recording: RECORDING,
        recording_name: "Act 1",
        recorder: "main",
        format: Format::Flv,
    };
    let path = template.parse::<Template>().unwrap().name(&facts).candidate(number);
    slashed(&path)
}

/// A path as it is written with `/` on every system.
fn slashed(path: &Path) -> String {
    path.to_str().unwrap().replace(std::path::MAIN_SEPARATOR, "/")
}

fn name(template: &str, stream_key: &str) -> String {
    candidate(template, stream_key, None, 1)
}

fn refused(template: &str) -> String {
    template.parse::<Template>().unwrap_err().to_string()
}

#[test]
fn the_default_is_the_contracts() {
    assert_eq!("{stream_key}_{timestamp}".parse(), Ok(Template::default()));
    assert_eq!(Template::default().to_string(), "{stream_key}_{timestamp}");
    assert_eq!(name("{stream_key}_{timestamp}", "live/test"), "live_test_20251011_143052.flv");
}

#[test]
fn each_part_says_what_it_is_for() {
    for (part, expected) in [
        ("app", "live"),
        ("name", "stage%2Fcam"),
        ("stream_key", "live_stage_cam"),
        ("recording", RECORDING),
        ("recording_name", "Act 1"),
        ("recorder", "main"),
        ("sequence", "0007"),
        ("timestamp", "20251011_143052"),
        ("year", "2025"),
        ("month", "10"),
        ("day", "11"),
        ("hour", "14"),
        ("minute", "30"),
        ("second", "52"),
        ("millisecond", "123"),
        ("microsecond", "123456"),
        ("offset", "+0200"),
        ("start", "20251011T143052.123456+0200"),
        ("end", "live"),
        ("utc_timestamp", "20251011_123052"),
        ("utc_hour", "12"),
        ("utc_offset", "+0000"),
        ("utc_start", "20251011T123052.123456+0000"),
        ("utc_end", "live"),
    ] {
        let template = format!("{{{part}}}");
        assert_eq!(name(&template, "live/stage/cam"), format!("{expected}.flv"));
        assert_eq!(name(&format!("{{app}}/{template}/x"), "live/stage/cam"), {
            format!("live/{expected}/x.flv")
        });
    }
    let end: Zoned = END.parse().unwrap();
    let finished = |template| candidate(template, "live/cam", Some(&end), 1);
    assert_eq!(finished("{name} {end}"), "cam 20251012T000102.500000+0200.flv");
    assert_eq!(finished("{name} {utc_end}"), "cam 20251011T220102.500000+0000.flv");
}

#[test]
fn a_template_with_the_end_is_known() {
    for (template, expected) in [
        ("{app}/{start}-{end}", true),
        ("{utc_end}/{name}", true),
        ("{app}/{start}", false),
        ("{{end}}{name}", false),
    ] {
        assert_eq!(template.parse::<Template>().unwrap().has_end(), expected, "{template}");
    }
}

#[test]
fn folders_braces_and_suffixes_are_where_they_belong() {
    let template = "{app}/{year}-{month}/{name}_{{{sequence}}}.flv";
    assert_eq!(name(template, "live/cam"), "live/2025-10/cam_{0007}.flv");
    assert_eq!(candidate(template, "live/cam", None, 3), "live/2025-10/cam_{0007}_3.flv");
    assert_eq!(name("{name}.flv", "a/b"), name("{name}", "a/b"));
    assert_eq!("{name}.flv".parse::<Template>(), "{name}".parse());
    // A key never makes a folder.
    assert_eq!(name("{app}/{name}", "live/../../etc/x"), "live/%2E.%2F..%2Fetc%2Fx.flv");
    assert_eq!(name("{app}/{name}", "../.."), "%2E%2E/%2E%2E.flv");
    // A key without an application has no folder to share with others.
    assert_eq!(name("{app}/{name}", "cam"), "none~/cam.flv");
    assert_eq!(name("{app}/{name}", "none~/cam"), "none%7E/cam.flv");
}

#[test]
fn devices_are_hidden_wherever_they_come_from() {
    for (template, key, expected) in [
        ("{name}", "live/CON", "%43ON.flv"),
        ("{app}/{name}", "aux/nul.x", "%61ux/%6Eul.x.flv"),
        ("C{name}", "live/on", "%43on.flv"),
        ("{app}{name}", "lp/t1", "%6Cpt1.flv"),
        ("{name}_{day}", "live/CON", "CON_11.flv"),
        ("com1.{name}", "live/x", "%63om1.x.flv"),
    ] {
        assert_eq!(name(template, key), expected);
    }
}

#[test]
fn long_keys_share_the_room() {
    let long = |c: char| c.to_string().repeat(300);
    let key = format!("{}/{}", long('a'), long('b'));
    let both = name("{app}-{name}", &key);
    let (app, rest) = both.split_once('-').unwrap();
    assert!(app.starts_with(&"a".repeat(100)) && rest.starts_with(&"b".repeat(100)), "{both}");
    assert_eq!(candidate("{app}-{name}", &key, None, CANDIDATES).len(), NAME_BYTES);
    // The short one stays whole.
    let one = name("{app}-{name}", &format!("live/{}", long('b')));
    assert!(one.starts_with(&format!("live-{}~", "b".repeat(223))), "{one}");
    // Each folder has room of its own.
    let folders = name("{app}/{name}/x", &key);
    assert!(folders.split('/').take(2).all(|folder| folder.len() == NAME_BYTES), "{folders}");
    // As many parts as a name may have, all of them long.
    let many = "{name}".repeat(7);
    assert!(candidate(&many, &key, None, CANDIDATES).len() <= NAME_BYTES);
}

#[test]
fn what_is_wrong_is_told_in_one_line() {
    let known = "{app} {name} {stream_key} {recording} {recording_name} {recorder} {sequence} {timestamp} {year} {month} {day} \
                 {hour} {minute} {second} {millisecond} {microsecond} {offset} {start} {end}; times \
                 also in UTC, as {utc_year}";
    let none = format!("the path has no part, so all files would have one name; known are {known}");
    let edge = ": a name cannot begin with a dot, a space, - or ~, nor end with a dot or a space";
    let empty = "the path has an empty name; write one / between two names and none at the end";
    let folders = "the path has 17 folders; at most 16 are accepted";
    let brace = |c| format!("a {c} alone; write {c}{c} for the character, or one of {known}");
    let unknown = |part, hint| format!("{{{part}}} is no part{hint}; known are {known}");
    let character = |c: char| format!("{c:?} cannot be in a file name; folders are set apart by /");
    for (template, expected) in [
        ("recording", none.as_str()),
        ("{{name}}", &none),
        ("", empty),
        (".flv", empty),
        ("{app}/", empty),
        ("{app}//{name}", empty),
        ("{app}/.flv", empty),
        ("/srv/{name}", "the path is absolute; it is to be relative to the record directory"),
        ("C:/{name}", &character(':')),
        (r"{app}\{name}", &character('\\')),
        ("{app}\n{name}", &character('\n')),
        ("{name}?", &character('?')),
        ("../{name}", &format!("\"..\"{edge}")),
        ("{app}/./{name}", &format!("\".\"{edge}")),
        ("{app}/..", &format!("\"..\"{edge}")),
        (".{name}", &format!("\".{{name}}\"{edge}")),
        ("-{name}", &format!("\"-{{name}}\"{edge}")),
        ("{app}./{name}", &format!("\"{{app}}.\"{edge}")),
        ("{app} /{name}", &format!("\"{{app}} \"{edge}")),
        ("nul/{name}", "\"nul\" is a device on Windows; choose another name"),
        ("{name}/com1.txt", "\"com1.txt\" is a device on Windows; choose another name"),
        ("{name", &brace('{')),
        ("{app}_name}", &brace('}')),
        ("{app/name}", &brace('{')),
        ("{strem_key}", &unknown("strem_key", "; did you mean {stream_key}?")),
        ("{utc_houre}", &unknown("utc_houre", "; did you mean {utc_hour}?")),
        ("{Name}", &unknown("Name", "; did you mean {name}?")),
        ("{}", &unknown("", "")),
        ("{x\ny}", &unknown("x\\ny", "")),
        (&format!("{}x", "{app}/".repeat(17)), folders),
        (
            &format!("{}{{name}}", "x".repeat(214)),
            &format!(
                "\"{}{{name}}\" may need 256 bytes; a name has at most 255: use fewer parts in it",
                "x".repeat(214)
            ),
        ),
        (&"x".repeat(1_025), "the path has 1025 bytes; at most 1024 are accepted"),
    ] {
        assert_eq!(refused(template), expected, "{template:?}");
    }
    for template in [
        format!("{}{{name}}", "x".repeat(213)),
        format!("{}x", "{app}/".repeat(16)),
        format!("{}{{name}}", "xy/".repeat(16)),
    ] {
        assert!(template.parse::<Template>().is_ok(), "{template}");
    }
}

#[test]
fn times_take_no_more_bytes_than_their_names_have_room_for() {
    // Local mean time, before there were zones.
    for start in [START, "-009999-01-12T00:00:00-04:56[America/New_York]"] {
        let start: Zoned = start.parse().unwrap();
        for form in FORMS {
            for utc in [false, true] {
                let text = form.write(&start, utc);
                assert!(text.len() <= form.bytes, "{}: {text}", form.name);
            }
        }
    }
}

#[test]
fn the_reference_has_every_part() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ref/names.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (name, _) in parts().filter(|(name, _)| !name.starts_with("utc_")) {
        assert!(page.contains(&format!("| `{{{name}}}` |")), "{{{name}}}");
    }
    for form in FORMS {
        assert!(page.contains(&format!("`{{utc_{}}}`", form.name)), "{{utc_{}}}", form.name);
    }
}

/// Pieces of templates, good ones and bad ones.
fn pieces_of_templates() -> Vec<String> {
    let fixed = ["/", "/", "_", "-", ".", " ", "x", "CO", "con", "ü", "{{", "}}", "{", "~", "%41"];
    let parts = parts().map(|(name, _)| format!("{{{name}}}"));
    parts.chain(fixed.map(str::to_owned)).collect()
}

fn templates() -> impl Strategy<Value = Template> {
    prop::collection::vec(select(pieces_of_templates()), 1..12)
        .prop_filter_map("no template", |pieces| pieces.concat().parse().ok())
}

/// Keys as people write them, and as nobody should.
fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s:.){0,40}",
        "\\PC{1,40}/\\PC{0,600}",
        "[%./~ 2fFA:_a-]{1,12}",
        select(vec!["con/nul", "CON./aux", "c/on", "com1.x/lpt¹", "../..", "/", "a/", "none~/x"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_key_in_any_template_is_a_valid_path(
        template in templates(),
        key in keys(),
        recording_name in keys(),
        finished: bool,
        number in 1..=CANDIDATES,
        sequence: u32,
    ) {
        let (start, end) = (START.parse().unwrap(), END.parse().unwrap());
        let facts = Facts {
            stream_key: &key,
            start: &start,
            end: finished.then_some(&end),
            sequence,
            recording: RECORDING,
            recording_name: &recording_name,
            recorder: "main",
        format: Format::Flv,
        };
        let path = template.name(&facts).candidate(number);
        let text = slashed(&path);
        prop_assert!(text.ends_with(".flv"));
        prop_assert!(path.components().all(|c| matches!(c, Component::Normal(_))), "{}", text);
        prop_assert_eq!(path.components().count(), template.folders.len() + 1, "{}", text);
        prop_assert_eq!(text.split('/').count(), template.folders.len() + 1, "{}", text);
        for name in text.split('/') {
            prop_assert!((1..=NAME_BYTES).contains(&name.len()), "{}", name);
            let bad = |c: char| c.is_control() || r#"\:*?"<>|"#.contains(c);
            prop_assert!(!name.contains(bad) && !name.ends_with(['.', ' ']), "{:?}", name);
            prop_assert!(!name.starts_with('.') && !is_device(name), "{}", name);
        }
        prop_assert_eq!(template.to_string().parse(), Ok(template));
    }

    #[test]
    fn different_keys_have_different_names(
        a in "[%./~ 2fFAcCoOnN:_-]{1,12}",
        b in "[%./~ 2fFAcCoOnN:_-]{1,12}",
        template in select(vec!["{app}/{name}", "{app}/x/{name}_{timestamp}", "v{name}/{app}"]),
    ) {
        // An empty application and none are the same; no stream has the first.
        let same = a.trim_start_matches('/') == b.trim_start_matches('/');
        prop_assume!(same == (a == b));
        prop_assert_eq!(a == b, name(template, &a) == name(template, &b));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}|[{}/a-z_.]{0,60}") {
        if let Ok(template) = text.parse::<Template>() {
            prop_assert_eq!(template.to_string().parse(), Ok(template));
        }
    }
}
