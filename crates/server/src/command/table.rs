//! Tables that fit a terminal.

use console::{Alignment, Term, measure_text_width, pad_str, truncate_str};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Figures stand to the right.
    pub(super) is_figure: bool,
    /// It may be cut to so many characters where room is short.
    pub(super) least: Option<usize>,
}

impl Column {
    pub(super) const fn text(head: &'static str) -> Self {
        Self { head, is_figure: false, least: None }
    }

    pub(super) const fn figure(head: &'static str) -> Self {
        Self { head, is_figure: true, least: None }
    }

    /// Text that may be cut.
    pub(super) const fn wide(head: &'static str, least: usize) -> Self {
        Self { head, is_figure: false, least: Some(least) }
    }
}

/// Between two columns.
const SPACE: usize = 2;

/// The lines of a table, the first one with the heads, each `indent` to the right. With `width` none
/// is wider: the widest column that may be cut is, and at last the line.
pub(super) fn lines<const N: usize>(
    columns: &[Column; N],
    rows: &[[String; N]],
    indent: usize,
    width: Option<usize>,
) -> Vec<String> {
    let mut widths = columns.map(|column| column.head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    if let Some(most) = width {
        shrink(columns, &mut widths, most.saturating_sub(indent));
    }
    let heads = columns.map(|column| column.head.to_owned());
    let line = |row: &[String; N]| {
        let mut line = " ".repeat(indent);
        for (i, ((cell, column), width)) in row.iter().zip(columns).zip(widths).enumerate() {
            if i > 0 {
                line.push_str(&" ".repeat(SPACE));
            }
            let side = if column.is_figure { Alignment::Right } else { Alignment::Left };
            line.push_str(&pad_str(&truncate_str(cell, width, "…"), width, side, None));
        }
        let line = line.trim_end();
        width.map_or_else(|| line.to_owned(), |most| truncate_str(line, most, "…").into_owned())
    };
    std::iter::once(&heads).chain(rows).map(line).collect()
}

/// Takes room from the widest column that may be cut, for as long as that helps.
fn shrink<const N: usize>(columns: &[Column; N], widths: &mut [usize; N], most: usize) {
    loop {
        let whole = widths.iter().sum::<usize>() + SPACE * N.saturating_sub(1);
        let over = whole.saturating_sub(most);
        let cuttable = widths.iter_mut().zip(columns).filter_map(|(width, column)| {
            let least = column.least?;
            (*width > least).then_some((width, least))
        });
        let Some((width, least)) = cuttable.max_by_key(|(width, _)| **width) else { return };
        if over == 0 {
            return;
        }
        // A step at a time, so that two wide columns share what is missing.
        *width = (*width - over.min(4)).max(least);
    }
}

/// Characters of a line, where standard output is a terminal.
pub(super) fn terminal_width() -> Option<usize> {
    let term = Term::stdout();
    term.is_term().then(|| usize::from(term.size().1))
}

#[cfg(test)]
mod tests;
