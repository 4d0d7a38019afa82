use testkit::process::Usage;

use super::svg;
use crate::sample::Sample;

fn sample(seconds: f64, mib: u64, is_troubled: bool) -> Sample {
    let usage = Usage { anon_bytes: mib << 20, rss_bytes: mib << 20, ..Usage::default() };
    Sample { seconds, usage, is_troubled, ..Sample::default() }
}

#[test]
fn values_are_at_their_place_on_scales_that_hold_them_all() {
    let svg = svg(&[sample(0.0, 0, false), sample(50.0, 90, false), sample(100.0, 45, false)], &[]);
    // From 64 to 984 pixels are 100 s, from 160 up to 34 pixels are 100 MiB.
    assert!(svg.contains("d=\"M64.0 160.0L524.0 46.6L984.0 103.3\""), "{svg}");
    assert!(svg.contains(">100</text>") && svg.contains(">100 s</text>"), "{svg}");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
}

#[test]
fn trouble_is_shaded_and_moments_are_marked() {
    let samples = [sample(0.0, 1, false), sample(50.0, 1, true), sample(100.0, 1, false)];
    let svg = svg(&samples, &[(25.0, "warm")]);
    let shade = "<rect x=\"524.0\" y=\"34.0\" width=\"460.0\" height=\"126.0\" fill=\"#fbe3df\"/>";
    assert_eq!(svg.matches("#fbe3df").count(), 3, "one in each panel");
    assert!(svg.contains(shade) && svg.contains("<path d=\"M294.0 34.0V160.0\""), "{svg}");
    assert!(svg.contains(">warm</text>"));
}

#[test]
fn a_long_soak_keeps_its_peaks() {
    let mut samples: Vec<_> = (0..10_000_u32).map(|n| sample(f64::from(n), 1, false)).collect();
    samples[5_555] = sample(5_555.0, 80, false);
    let svg = svg(&samples, &[]);
    assert!(svg.len() < 200_000, "{}", svg.len());
    assert!(svg.contains(" 34.0L"), "80 of 80 MiB is at the top");
}
