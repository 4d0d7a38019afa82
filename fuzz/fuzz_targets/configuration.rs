#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rtmp_server::fuzz::configuration(data));
