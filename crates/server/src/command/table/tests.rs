use super::*;

const COLUMNS: [Column; 3] = [Column::text("ID"), Column::wide("NAME", 6), Column::figure("SIZE")];

fn rows() -> Vec<[String; 3]> {
    [["1", "live/a", "9 B"], ["22", "live/a-very-long-name", "10 kB"]]
        .map(|row| row.map(str::to_owned))
        .to_vec()
}

#[test]
fn columns_are_as_wide_as_they_have_to_be() {
    let expected = [
        "  ID  NAME                    SIZE",
        "  1   live/a                   9 B",
        "  22  live/a-very-long-name  10 kB",
    ];
    assert_eq!(lines(&COLUMNS, &rows(), 2, None), expected);
    assert_eq!(lines(&COLUMNS, &rows(), 2, Some(200)), expected);
}

#[test]
fn a_narrow_terminal_cuts_what_may_be_cut_and_then_the_line() {
    let narrow = lines(&COLUMNS, &rows(), 0, Some(24));
    assert_eq!(
        narrow,
        ["ID  NAME            SIZE", "1   live/a           9 B", "22  live/a-very-…  10 kB"]
    );
    for width in 1..40 {
        for line in lines(&COLUMNS, &rows(), 2, Some(width)) {
            assert!(measure_text_width(&line) <= width, "{width}: {line:?}");
        }
    }
    assert_eq!(lines(&COLUMNS, &rows(), 0, Some(8)), ["ID  NAM…", "1   liv…", "22  liv…"]);
}

#[test]
fn a_table_without_rows_has_its_heads() {
    assert_eq!(lines(&COLUMNS, &[], 0, Some(80)), ["ID  NAME  SIZE"]);
}
