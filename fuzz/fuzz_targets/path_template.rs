#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| archive::fuzz::path_template(data));
