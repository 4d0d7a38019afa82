//! How the program is linked: on Linux the tables by which a backtrace finds its lines are compressed in a release.
//!
//! They are four fifths of the program otherwise. The standard library reads them as they are.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("PROFILE", "release") {
        println!("cargo::rustc-link-arg-bins=-Wl,--compress-debug-sections=zlib");
    }
}
