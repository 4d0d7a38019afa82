use super::*;

#[test]
fn every_command_has_a_page_with_flags_of_one_dash() {
    let pages = pages(&shell::command()).unwrap();
    let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["rtmp-server.1", "rtmp-server-verify.1", "rtmp-server-recordings-export.1"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    for (name, page) in &pages {
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
        assert!(!page.contains(r"\-\-json") && !page.contains(r"\-\-help"), "{name}: {page}");
    }
    assert!(pages[0].1.contains(r"\-record\-all"), "{}", pages[0].1);
}
