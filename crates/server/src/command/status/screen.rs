//! The terminal, drawn over and over without flicker, and left as it was.

use std::io::{self, Write as _};

use console::Term;

/// Another page of the terminal; what was there comes back when it is dropped.
pub(super) struct Screen(Term);

/// Of terminals that support it: draw from here to there at once.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
const END: &str = "\x1b[J\x1b[?2026l";
/// The other page, and back.
const OPEN: &str = "\x1b[?1049h";
const CLOSE: &str = "\x1b[?1049l";

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        let term = Term::stdout();
        let mut screen = Self(term);
        screen.0.write_all(OPEN.as_bytes())?;
        screen.0.hide_cursor()?;
        Ok(screen)
    }

    /// Lines and columns, now.
    pub(super) fn size(&self) -> (usize, usize) {
        let (height, width) = self.0.size();
        (height.into(), width.into())
    }

    /// Draws lines, none of which is wider or more than there is room for: all of it in one call, over
    /// what is there.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let lines = lines.join("\x1b[K\r\n");
        self.0.write_all(format!("{BEGIN}{lines}\x1b[K{END}").as_bytes())?;
        self.0.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = self.0.write_all(CLOSE.as_bytes());
        let _ = self.0.show_cursor();
    }
}
