use super::*;

#[test]
fn each_limit_of_live_streams_is_the_value_of_its_flag() {
    let args = [
        "rtmp-server",
        "-max-streams=1001",
        "-max-players=1002",
        "-join-buffer=1003KiB",
        "-play-buffer=1004KiB",
        "-record-queue=1005KiB",
        "-record-queue-total=1006KiB",
        "-pre-roll-buffer=1007KiB",
    ];
    let config = crate::cli::parse(args.map(Into::into)).unwrap().config;
    let limits = live::Limits {
        streams: 1_001,
        watchers_per_stream: 1_002,
        join_bytes: 1_003 << 10,
        play_bytes: 1_004 << 10,
        record_bytes: 1_005 << 10,
        record_total_bytes: 1_006 << 10,
        pre_roll_bytes: 1_007 << 10,
        ..live::Limits::default()
    };
    assert_eq!(live_limits(&config), limits);
}
