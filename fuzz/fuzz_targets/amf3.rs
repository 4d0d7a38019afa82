#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| media::fuzz::amf3(data));
