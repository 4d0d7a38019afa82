use super::*;

#[test]
fn the_cost_of_this_process_is_read_and_grows() {
    let pid = std::process::id();
    let before = Usage::of(pid).unwrap();
    assert!(before.rss_bytes > 100_000 && before.rss_peak_bytes >= before.rss_bytes);
    assert!(before.threads >= 1);
    let file = std::fs::File::open("/proc/self/stat").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while Usage::of(pid).unwrap().cpu < before.cpu + Duration::from_millis(30) {
        assert!(Instant::now() < deadline, "this loop costs nothing");
    }
    let open = descriptors(pid).unwrap();
    assert!(open.contains(&format!("/proc/{pid}/stat")), "{open:?}");
    drop(file);
    assert!(before.descriptors >= 3);
}

#[test]
fn a_name_with_brackets_and_spaces_does_not_move_the_fields() {
    let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 250 0 0 20 0 1 0";
    assert_eq!(cpu(stat), Some(Duration::from_secs(4)));
    assert_eq!(cpu("7 (a) S 1 2"), None);
}

#[cfg(unix)]
#[test]
fn a_child_is_waited_for_and_stopped() {
    let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
    assert_eq!(wait(&mut child, Duration::from_millis(20)).unwrap(), None);
    signal(&child, Signal::Terminate).unwrap();
    let status = wait(&mut child, Duration::from_secs(20)).unwrap().unwrap();
    assert!(!status.success());
}
