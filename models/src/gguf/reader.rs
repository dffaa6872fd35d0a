//! Numbers and strings from the front of a file's bytes. Every length is compared with what is left
//! of the file before anything is done with it.

/// What is left of a file.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes that were read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: u64) -> Result<&'a [u8], String> {
        let left = &self.bytes[self.position..];
        let len = usize::try_from(len).ok().filter(|len| *len <= left.len());
        let Some(len) = len else {
            let end = self.bytes.len();
            let problem = format!("the file ends within it, at byte {end}");
            return Err(format!("{problem}: copy or download it again"));
        };
        self.position += len;
        Ok(&left[..len])
    }

    /// A number of `N` bytes.
    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(*self.take(N as u64)?.first_chunk().expect("as many were taken"))
    }

    /// The next 32 bits.
    pub fn u32(&mut self) -> Result<u32, String> {
        self.number().map(u32::from_le_bytes)
    }

    /// The next 64 bits.
    pub fn u64(&mut self) -> Result<u64, String> {
        self.number().map(u64::from_le_bytes)
    }

    /// A length, then as many bytes of UTF-8.
    pub fn string(&mut self) -> Result<&'a str, String> {
        let len = self.u64()?;
        let bytes = self.take(len)?;
        str::from_utf8(bytes).map_err(|error| format!("it isn't UTF-8 ({error})"))
    }
}
