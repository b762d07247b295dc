//! Whether what came as an export is one, and all of it.

use super::Format;
use crate::cli::failure::Failure;

/// The entries of an export, counted while it comes and held against what the server promised.
#[derive(Debug)]
pub(super) struct Tally {
    format: Format,
    promised: u64,
    /// Ends of lines that end an entry, the table's heading or the array's frame.
    ends: u64,
    /// Within a cell of a table a line's end is text.
    in_cell: bool,
    begun: bool,
    last: u8,
}

impl Tally {
    /// An export of `promised` entries.
    pub(super) fn new(format: Format, promised: u64) -> Self {
        Self {
            format,
            promised,
            ends: 0,
            in_cell: false,
            begun: false,
            last: 0,
        }
    }

    /// How many entries there are to come in all.
    pub(super) fn promised(&self) -> u64 {
        self.promised
    }

    /// Takes the next bytes, and says how many entries there are by now. Bytes that begin no export are
    /// refused, so that nobody keeps the page of a proxy as the proof of something.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<u64, Failure> {
        let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else {
            return Ok(self.entries());
        };
        if !self.begun && *first != self.format.first_byte() {
            return Err(no_export());
        }
        self.begun = true;
        self.last = *last;
        self.ends += match self.format {
            Format::Json | Format::Jsonl => {
                chunk.split(|byte| *byte == b'\n').skip(1).count() as u64
            }
            Format::Csv => self.ends_of_rows(chunk),
        };
        Ok(self.entries())
    }

    /// Whether all of it came.
    pub(super) fn conclude(&self) -> Result<(), Failure> {
        let (came, promised) = (self.entries(), self.promised);
        let ended = self.last == b'\n' || (self.format == Format::Jsonl && !self.begun);
        if came == promised && ended && !self.in_cell {
            return Ok(());
        }
        let text = format!("the export is not whole: {came} of {promised} entries came");
        Err(Failure::unreachable(text).hint("try again; a proxy in between may have a limit"))
    }

    fn entries(&self) -> u64 {
        match self.format {
            Format::Jsonl => self.ends,
            // One is the heading's; or that of the closing bracket.
            Format::Csv | Format::Json => self.ends.saturating_sub(1),
        }
    }

    /// A quote within a cell is doubled, so each one opens or closes.
    fn ends_of_rows(&mut self, chunk: &[u8]) -> u64 {
        let mut ends = 0;
        for byte in chunk {
            match byte {
                b'"' => self.in_cell = !self.in_cell,
                b'\n' if !self.in_cell => ends += 1,
                _ => {}
            }
        }
        ends
    }
}

/// An answer that is none of ours.
pub(super) fn no_export() -> Failure {
    Failure::unreachable("what came is no export of Vyrox")
        .hint("see whether something else answers at this address, a proxy for instance")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Exit;

    fn told(format: Format, promised: u64, chunks: &[&str]) -> Result<u64, Failure> {
        let mut tally = Tally::new(format, promised);
        let mut entries = 0;
        for chunk in chunks {
            entries = tally.take(chunk.as_bytes())?;
        }
        tally.conclude().map(|()| entries)
    }

    #[test]
    fn a_whole_export_is_whole_in_every_format_and_however_it_is_cut() {
        for (format, entries, text) in [
            (Format::Jsonl, 0, ""),
            (Format::Jsonl, 2, "{\"seq\":0}\n{\"seq\":1}\n"),
            (Format::Json, 0, "[]\n"),
            (Format::Json, 2, "[\n{\"seq\":0},\n{\"seq\":1}]\n"),
            (Format::Csv, 0, "seq,host\r\n"),
            (
                Format::Csv,
                2,
                "seq,host\r\n\"0\",\"a\"\r\n\"1\",\"two\n\"\"lines\"\"\"\r\n",
            ),
        ] {
            assert_eq!(told(format, entries, &[text]).unwrap(), entries, "{text}");
            for at in 1..text.len() {
                let (head, tail) = text.split_at(at);
                assert_eq!(
                    told(format, entries, &[head, tail]).unwrap(),
                    entries,
                    "{text}"
                );
                let cut = told(format, entries, &[head]).unwrap_err();
                assert_eq!(cut.exit(), Exit::Unreachable, "{head}");
            }
        }
    }

    #[test]
    fn a_page_of_a_proxy_is_no_export() {
        for format in [Format::Json, Format::Jsonl, Format::Csv] {
            let refused = told(format, 1, &["<html>\n"]).unwrap_err().to_string();
            assert!(refused.contains("no export"), "{refused}");
        }
    }

    #[test]
    fn more_than_was_promised_is_not_whole_either() {
        assert!(told(Format::Jsonl, 1, &["{}\n{}\n"]).is_err());
    }
}
