//! Samples as a picture: SVG without a script or a font of its own.

use std::fmt::Write as _;

use crate::sample::{Sample, mib};

const WIDTH: f64 = 1_000.0;
const PANEL_HEIGHT: f64 = 190.0;
/// Room beside a panel: left for the scale, above for its title, below for the times.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const ABOVE: f64 = 34.0;
const BELOW: f64 = 30.0;
/// Lines of the scale.
const STEPS: u32 = 4;
/// A longer line is drawn of the most of each so many samples: what is seen stays the same.
const POINTS_MAX: usize = 900;

/// Figures that share a scale.
struct Panel {
    title: &'static str,
    lines: &'static [Line],
}

/// A figure over time.
struct Line {
    name: &'static str,
    colour: &'static str,
    of: fn(&Sample) -> f64,
}

#[expect(clippy::cast_precision_loss, reason = "a picture")]
const PANELS: &[Panel] = &[
    Panel {
        title: "memory of the server, MiB",
        lines: &[
            Line { name: "resident", colour: "#9bb8d3", of: |s| mib(s.usage.rss_bytes) },
            Line { name: "of its own", colour: "#1f5a93", of: |s| mib(s.usage.anon_bytes) },
            Line { name: "waiting for disks", colour: "#c0392b", of: |s| mib(s.queue_bytes) },
        ],
    },
    Panel {
        title: "descriptors and threads of the server",
        lines: &[
            Line { name: "descriptors", colour: "#1f5a93", of: |s| s.usage.descriptors as f64 },
            Line { name: "threads", colour: "#c77700", of: |s| s.usage.threads as f64 },
        ],
    },
    Panel {
        title: "who is there",
        lines: &[
            Line { name: "players", colour: "#5b8c3e", of: |s| s.players as f64 },
            Line { name: "publishers", colour: "#1f5a93", of: |s| s.publishers as f64 },
            Line { name: "recordings that run", colour: "#c77700", of: |s| s.recordings as f64 },
        ],
    },
];

/// Draws the samples. `marks` are moments in seconds, with what they are.
pub(crate) fn svg(samples: &[Sample], marks: &[(f64, &str)]) -> String {
    let end = samples.last().map_or(1.0, |sample| sample.seconds.max(1.0));
    let height = PANEL_HEIGHT * f64::from(u32::try_from(PANELS.len()).unwrap_or(1));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{WIDTH}\" height=\"{height}\" \
         fill=\"#fff\"/>\n",
    );
    let mut top = 0.0;
    for panel in PANELS {
        let frame = Frame { top: top + ABOVE, end, most: most(panel, samples) };
        frame.draw(&mut svg, panel, samples, marks);
        top += PANEL_HEIGHT;
    }
    svg + "</svg>\n"
}

/// A round number that no value of a panel is above.
fn most(panel: &Panel, samples: &[Sample]) -> f64 {
    let values = samples.iter().flat_map(|s| panel.lines.iter().map(|line| (line.of)(s)));
    let most = values.fold(1.0, f64::max);
    let unit = 10_f64.powf(most.log10().floor());
    let round = [1.0, 2.0, 4.0, 6.0, 8.0].into_iter().map(|n| n * unit).find(|n| *n >= most);
    round.unwrap_or(10.0 * unit)
}

/// Where a panel is, and what its scales reach to.
struct Frame {
    top: f64,
    end: f64,
    most: f64,
}

impl Frame {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.end * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + (1.0 - value / self.most) * (PANEL_HEIGHT - ABOVE - BELOW)
    }

    // Writing to a text cannot fail.
    fn draw(&self, svg: &mut String, panel: &Panel, samples: &[Sample], marks: &[(f64, &str)]) {
        self.trouble(svg, samples);
        let title = self.top - 18.0;
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{title}\" font-weight=\"bold\">{}</text>",
            panel.title
        );
        for step in 0..=STEPS {
            let value = self.most * f64::from(step) / f64::from(STEPS);
            let (y, right) = (self.y(value), WIDTH - RIGHT);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{value}</text>",
                LEFT - 6.0,
                y + 4.0,
            );
        }
        for (seconds, name) in marks {
            let (x, bottom) = (self.x(*seconds), self.y(0.0));
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {:.1}V{bottom:.1}\" stroke=\"#888\" stroke-dasharray=\"3 3\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{name}</text>",
                self.top,
                self.top - 3.0,
            );
        }
        let unit = if self.end > 600.0 { (60.0, "min") } else { (1.0, "s") };
        for step in 0..=10 {
            let seconds = self.end * f64::from(step) / 10.0;
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0}{}</text>",
                self.x(seconds),
                self.y(0.0) + 16.0,
                seconds / unit.0,
                if step == 10 { format!(" {}", unit.1) } else { String::new() },
            );
        }
        let mut legend = WIDTH - RIGHT;
        for line in panel.lines {
            let points = self.points(line, samples);
            let _ = writeln!(
                svg,
                "<path d=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\"/>\
                 <text x=\"{legend}\" y=\"{title}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
                colour = line.colour,
                name = line.name,
            );
            legend -= 130.0;
        }
    }

    fn points(&self, line: &Line, samples: &[Sample]) -> String {
        let mut path = String::new();
        for some in samples.chunks(samples.len().div_ceil(POINTS_MAX).max(1)) {
            let Some(first) = some.first() else { continue };
            let value = some.iter().map(line.of).fold(0.0, f64::max);
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", self.x(first.seconds), self.y(value));
        }
        path
    }

    /// The times at which the disk was in trouble.
    fn trouble(&self, svg: &mut String, samples: &[Sample]) {
        for pair in samples.windows(2) {
            let [sample, next] = pair else { continue };
            if sample.is_troubled {
                let (x, bottom) = (self.x(sample.seconds), self.y(0.0));
                let width = self.x(next.seconds) - x;
                let height = bottom - self.top;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
                     fill=\"#fbe3df\"/>",
                    self.top,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
