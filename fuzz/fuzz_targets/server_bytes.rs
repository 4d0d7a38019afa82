#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rtmp::fuzz::server_bytes(std::time::Instant::now(), data));
