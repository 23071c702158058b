//! Tables for spreadsheets, as CSV: whatever a cell holds, no spreadsheet takes it for a formula.

use csv::WriterBuilder;

/// What a spreadsheet may take for the beginning of a formula; some leave out white space before it.
const BEGINS_A_FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Rows as lines of CSV (RFC 4180). A cell that might be a formula gets an apostrophe before it, which spreadsheets take for
/// "this is text".
#[must_use]
pub fn lines<'a>(rows: impl IntoIterator<Item = Vec<&'a str>>) -> Vec<u8> {
    let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in rows {
        // Nothing can fail that is written into memory.
        let _ = writer.write_record(row.into_iter().map(harmless));
    }
    writer.into_inner().unwrap_or_default()
}

fn harmless(cell: &str) -> String {
    let is_formula = cell.trim_start_matches(' ').starts_with(BEGINS_A_FORMULA);
    if is_formula { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn line(cells: &[&str]) -> String {
        String::from_utf8(lines([cells.to_vec()])).expect("a text")
    }

    #[test]
    fn a_cell_stays_a_cell_and_is_no_formula() {
        for (cells, written) in [
            (vec!["dana@example.com", "gold silver", ""], "dana@example.com,gold silver,\n"),
            (vec!["=1+1"], "'=1+1\n"),
            (
                vec!["=HYPERLINK(\"http://x\",\"a\")"],
                "\"'=HYPERLINK(\"\"http://x\"\",\"\"a\"\")\"\n",
            ),
            (vec!["+1@x.example", "-1", "@SUM(A1)"], "'+1@x.example,'-1,'@SUM(A1)\n"),
            (vec!["  =1"], "'  =1\n"),
            (vec!["\t=1", "\r=1"], "'\t=1,\"'\r=1\"\n"),
            (vec!["a\nb", "c,d"], "\"a\nb\",\"c,d\"\n"),
        ] {
            assert_eq!(line(&cells), written);
        }
    }
}
