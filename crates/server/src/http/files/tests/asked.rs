use super::super::name::disposition;

fn of(name: &str) -> String {
    disposition(name).to_str().unwrap().to_owned()
}

#[test]
fn name_never_leads_out_of_a_directory_or_out_of_the_header() {
    let names = [
        ("live_test.flv", "live_test.flv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\"; filename=\"b.exe", "a_; filename=_b.exe"),
        ("a\r\nSet-Cookie: x=1", "a__Set-Cookie_ x=1"),
        ("C:\\x\\y.flv", "C__x_y.flv"),
        ("%2e%2e%2f.flv", "_2e_2e_2f.flv"),
        ("...", "download"),
        ("", "download"),
        ("\0", "_"),
    ];
    for (name, expected) in names {
        let found = of(name);
        let saved = found.strip_prefix("attachment; filename=\"").unwrap();
        assert_eq!(saved.trim_end_matches('"'), expected, "{name}");
        assert_eq!(found.matches('"').count(), 2, "{found}");
    }
}

#[test]
fn name_beyond_ascii_is_told_both_ways_and_bounded() {
    let found = of("größe €.flv");
    let expected = "attachment; filename=\"gr__e _.flv\"; \
                    filename*=UTF-8''gr%C3%B6%C3%9Fe%20%E2%82%AC.flv";
    assert_eq!(found, expected);
    let long = of(&"ü".repeat(1_000));
    assert_eq!(long.matches("%C3%BC").count(), 127, "255 bytes at most, whole characters");
}
