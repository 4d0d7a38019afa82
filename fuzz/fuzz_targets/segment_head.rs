#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| archive::fuzz::segment_head(data));
