use super::*;

#[test]
fn directories_on_one_disk_are_told_from_those_on_several() {
    let disk = |dir: &str, device| DiskStatus {
        dir: dir.into(),
        device,
        total_bytes: 10,
        free_bytes: 5,
        min_free_bytes: 1,
        state: DiskState::Good,
        write_bytes_per_second: 1,
        full_in: None,
        obstacle: None,
    };
    let known = [disk("a", 7), disk("b", 7), disk("c", 9), disk("d", 0), disk("e", 0)];
    let shown = shown(&known);
    let same: Vec<_> = shown.iter().map(|disk| disk.same_disk_as.as_ref()).collect();
    assert_eq!(same, [None, Some(&shown[0].dir), None, None, None]);

    // Of one that cannot be written nothing is shown that another would refer to.
    let unwritable = |dir| DiskStatus { state: DiskState::Unwritable, ..disk(dir, 7) };
    let shown = super::shown(&[unwritable("a"), disk("b", 7), unwritable("c"), disk("d", 7)]);
    let same: Vec<_> = shown.iter().map(|disk| disk.same_disk_as.as_ref()).collect();
    assert_eq!(same, [None, None, None, Some(&shown[1].dir)]);
}
