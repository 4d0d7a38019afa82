//! Writes boxes (ISO 14496-12 4.2): a size, a name and a content that may be boxes again.

/// Bytes to which boxes are appended.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    pub(super) bytes: Vec<u8>,
}

impl Boxes {
    /// Appends a box.
    pub(super) fn put(&mut self, name: &[u8; 4], content: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.u32(0);
        self.slice(name);
        content(self);
        let size = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.set_u32(start, size);
    }

    /// Appends a box that begins with a version and flags.
    pub(super) fn full(
        &mut self,
        name: &[u8; 4],
        version: u8,
        flags: u32,
        content: impl FnOnce(&mut Self),
    ) {
        self.put(name, |boxes| {
            boxes.u32(u32::from(version) << 24 | flags);
            content(boxes);
        });
    }

    pub(super) fn u8(&mut self, number: u8) {
        self.bytes.push(number);
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.slice(&number.to_be_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.slice(&number.to_be_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.slice(&number.to_be_bytes());
    }

    pub(super) fn slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    /// Text with a zero behind it; zeros in it are left out.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes.extend(text.bytes().filter(|&byte| byte != 0));
        self.u8(0);
    }

    /// Overwrites what stands at `at`.
    pub(super) fn set_u32(&mut self, at: usize, number: u32) {
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&number.to_be_bytes());
        }
    }
}
