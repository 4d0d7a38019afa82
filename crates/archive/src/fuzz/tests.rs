//! The corpora: what they begin with, and all of what they hold, run once.

use super::*;
use crate::catalog::made::with_metadata;
use crate::testing::about;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn path_template_corpus() {
    let long = "x".repeat(1_000);
    let seeds = [
        "live\ntest\n{stream_key}_{timestamp}".to_owned(),
        "live/a\n../../b\n{app}/{name}/{year}-{month}/{utc_start}_{end}".to_owned(),
        "..\n..\\..\\x\n{name}".to_owned(),
        "C:\nCON.txt\n{name}{sequence}".to_owned(),
        "live/_definst_\n\u{202e}\u{2215}\0\u{1f}\n{{{recording}}}".to_owned(),
        format!("live\n{long}\n{{app}}_{{name}}_{{stream_key}}"),
        "\nnul\n{app}{name}".to_owned(),
        "a\n%2e%2e%2f\n.{name}".to_owned(),
    ];
    replay("path_template", path_template, &seeds.map(String::into_bytes));
}

#[test]
fn segment_head_corpus() {
    let ledger = Ledger::default();
    let mut properties = about().properties();
    properties.push(("complete".to_owned(), Value::Boolean(false)));
    properties.extend(ledger.properties());
    let whole = with_metadata(&properties);
    let torn = whole[..whole.len() / 2].to_vec();
    replay("segment_head", segment_head, &[whole, torn]);
}
